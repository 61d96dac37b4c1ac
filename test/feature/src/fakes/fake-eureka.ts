import type { IncomingMessage, ServerResponse } from "node:http";
import { FakeHttp, sendJson } from "./fake-http.ts";

/** An instance as its client registers it; what is absent is as of a Spring application. */
interface EurekaInstance {
  readonly app: string;
  readonly ip?: string;
  readonly hostName?: string;
  readonly status?: string;
  readonly override?: string;
  readonly metadata?: Readonly<Record<string, string>>;
}

/** As much of a Eureka server as clients read: all applications, and what changed lately. */
export class FakeEureka extends FakeHttp {
  /** Answers instead of the truth; `hang` never answers. */
  mood: "hang" | { readonly status: number; readonly body: unknown } | undefined;
  readonly #instances = new Map<string, Readonly<Record<string, unknown>>>();
  #changes: Readonly<Record<string, unknown>>[] = [];

  register(id: string, instance: EurekaInstance): void {
    const made = instanceOf(id, instance);
    this.#instances.set(id, made);
    this.#changes.push({ ...made, actionType: "ADDED" });
  }

  /** The client says goodbye: the server tells it for some minutes. */
  cancel(id: string): void {
    const instance = this.#instances.get(id);
    if (!this.#instances.delete(id)) return;
    this.#changes.push({ ...instance, actionType: "DELETED" });
  }

  /** Starts anew knowing only these, and nothing of the past. */
  restartWith(ids: readonly string[]): void {
    for (const id of [...this.#instances.keys()]) if (!ids.includes(id)) this.#instances.delete(id);
    this.#changes = [];
  }

  protected answer(url: URL, _request: IncomingMessage, response: ServerResponse): void {
    const { mood } = this;
    if (mood === "hang") return;
    if (mood !== undefined) sendJson(response, mood.body, mood.status);
    else if (url.pathname === "/eureka/apps") sendJson(response, this.#applications([...this.#instances.values()]));
    else if (url.pathname === "/eureka/apps/delta") sendJson(response, this.#applications(this.#changes));
    else sendJson(response, {}, 404);
  }

  #applications(instances: readonly Readonly<Record<string, unknown>>[]): unknown {
    const names = [...new Set(instances.map(({ app }) => app))];
    const application = names.map((name) => ({ name, instance: instances.filter(({ app }) => app === name) }));
    return { applications: { versions__delta: "1", apps__hashcode: this.#hash(), application } };
  }

  #hash(): string {
    const statuses = [...this.#instances.values()].map(({ status }) => String(status));
    return [...new Set(statuses)]
      .sort()
      .map((status) => `${status}_${statuses.filter((one) => one === status).length}_`)
      .join("");
  }
}

/** When everything was registered, in epoch milliseconds. */
const registeredAt = Date.UTC(2026, 0, 1);

function instanceOf(id: string, instance: EurekaInstance): Readonly<Record<string, unknown>> {
  const { app, ip = "", hostName = ip, metadata = {} } = instance;
  return {
    instanceId: id,
    app: app.toUpperCase(),
    hostName,
    ipAddr: ip,
    status: instance.status ?? "UP",
    overriddenStatus: instance.override ?? "UNKNOWN",
    port: { $: 8080, "@enabled": "true" },
    securePort: { $: 443, "@enabled": "false" },
    countryId: 1,
    dataCenterInfo: { "@class": "com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo", name: "MyOwn" },
    leaseInfo: {
      renewalIntervalInSecs: 30,
      durationInSecs: 90,
      registrationTimestamp: registeredAt,
      lastRenewalTimestamp: registeredAt,
      evictionTimestamp: 0,
      serviceUpTimestamp: registeredAt,
    },
    metadata,
    vipAddress: app,
    lastUpdatedTimestamp: String(registeredAt),
    lastDirtyTimestamp: String(registeredAt),
  };
}
