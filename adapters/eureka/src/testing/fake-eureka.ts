import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { gzipSync } from "node:zlib";

/** An instance as a client would register it. */
export interface Registration {
  readonly app: string;
  readonly id: string;
  readonly ip?: string;
  readonly hostName?: string;
  readonly port?: number | string;
  readonly securePort?: number;
  readonly status?: string;
  readonly override?: string;
  readonly metadata?: Readonly<Record<string, unknown>>;
  readonly vip?: string;
  readonly secureVip?: string;
  /** `lastDirtyTimestamp`, in epoch milliseconds. */
  readonly dirtyAt?: number;
  /** When the server thinks that it was renewed, in epoch milliseconds. Absent: it does not say. */
  readonly renewedAt?: number;
}

/** How the server behaves. */
export type Mood =
  /** Answers well. */
  | { readonly type: "fine" }
  /** Takes requests and never answers. */
  | { readonly type: "hangs" }
  /** Promises a whole body and sends half of it. */
  | { readonly type: "cuts" }
  /** Answers everything so. */
  | {
      readonly type: "says";
      readonly status: number;
      readonly headers?: Record<string, string>;
      readonly body: string;
    };

interface Change {
  readonly key: string;
  readonly instance: Record<string, unknown>;
}

/** When the server took whatever it tells, in epoch milliseconds. */
const takenAt = 1_795_227_471_292;

/**
 * A Eureka server of the wire only: a real HTTP server on a port of its own that answers `/eureka/apps` and
 * `/eureka/apps/delta` as Eureka 2.0 does (recorded in `testdata`), with the window of recent changes behind the delta.
 */
export class FakeEureka {
  readonly #instances = new Map<string, Record<string, unknown>>();
  readonly #hanging = new Set<ServerResponse>();
  #changes: Change[] = [];
  #server: Server | undefined;
  #port = 0;
  mood: Mood = { type: "fine" };
  /** As `eureka.server.disable-delta` does. */
  noDelta = false;
  /** What it says instead of its hash. */
  hash: string | undefined;
  /** Values that are put among the instances as they are. */
  junk: unknown[] = [];
  /** `user:password` that it demands. */
  credentials: string | undefined;
  /** The list shapes of old servers: an object where there is one, texts for numbers. */
  old = false;
  /** Paths that were asked for, in order. */
  readonly requests: string[] = [];
  /** Paths of what was cancelled, in order. */
  readonly cancelled: string[] = [];

  static async open(): Promise<FakeEureka> {
    const fake = new FakeEureka();
    await fake.start();
    return fake;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}/eureka`;
  }

  register(registration: Registration): void {
    const instance = instanceOf(registration);
    const key = `${registration.app.toUpperCase()}/${registration.id}`;
    this.#instances.set(key, instance);
    // A change of an existing instance is told as ADDED as well.
    this.#tell(key, instance, "ADDED");
  }

  cancel(app: string, id: string): void {
    const key = `${app.toUpperCase()}/${id}`;
    const instance = this.#instances.get(key);
    this.#instances.delete(key);
    // It keeps the status that it had. The eviction time is there, too: renewed seconds before, the lease had not run out.
    const lease = { lastRenewalTimestamp: takenAt + 85_000, evictionTimestamp: takenAt };
    if (instance !== undefined) this.#tell(key, withLease(instance, lease), "DELETED");
  }

  /** Ends the lease of an instance that nobody renewed, at a time in epoch milliseconds. Default lease: 90 seconds. */
  evict(app: string, id: string, at: number, leaseSeconds = 90): void {
    const key = `${app.toUpperCase()}/${id}`;
    const instance = this.#instances.get(key);
    this.#instances.delete(key);
    const lastRenewalTimestamp = at - leaseSeconds * 1000 - 500;
    const lease = { durationInSecs: leaseSeconds, lastRenewalTimestamp, evictionTimestamp: at };
    if (instance !== undefined) this.#tell(key, withLease(instance, lease), "DELETED");
  }

  /** Cancels whatever the predicate names. */
  cancelWhere(predicate: (app: string, id: string) => boolean): void {
    for (const key of [...this.#instances.keys()]) {
      const [app = "", id = ""] = key.split("/");
      if (predicate(app, id)) this.cancel(app, id);
    }
  }

  /** Forgets an instance and says nothing of it: what a restart and half of the re-registrations look like. */
  forget(predicate: (app: string, id: string) => boolean): void {
    for (const key of [...this.#instances.keys()]) {
      const [app = "", id = ""] = key.split("/");
      if (predicate(app, id)) this.#instances.delete(key);
    }
    this.#changes = this.#changes.filter(({ key }) => this.#instances.has(key));
  }

  /** As time does after three minutes. */
  forgetChanges(): void {
    this.#changes = [];
  }

  mend(): void {
    this.mood = { type: "fine" };
    for (const response of this.#hanging) if (response.req.url !== undefined) this.#answer(response.req, response);
    this.#hanging.clear();
  }

  async start(): Promise<void> {
    const server = createServer((request, response) => {
      this.requests.push(request.url ?? "");
      this.#answer(request, response);
    });
    await new Promise<void>((resolve) => server.listen(this.#port, "127.0.0.1", resolve));
    this.#port = (server.address() as AddressInfo).port;
    this.#server = server;
  }

  /** Ends the process, as it were: nothing listens any more. */
  async stop(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    this.#hanging.clear();
    if (server === undefined) return;
    const closed = new Promise((resolve) => server.close(resolve));
    server.closeAllConnections();
    await closed;
  }

  connections(): Promise<number> {
    return new Promise((resolve, reject) => {
      if (this.#server === undefined) resolve(0);
      else this.#server.getConnections((error, count) => (error === null ? resolve(count) : reject(error)));
    });
  }

  #tell(key: string, instance: Record<string, unknown>, actionType: string): void {
    this.#changes.push({ key, instance: { ...instance, actionType, lastUpdatedTimestamp: String(takenAt) } });
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const { mood } = this;
    if (mood.type === "hangs") {
      this.#hanging.add(response);
      return;
    }
    if (mood.type === "says") {
      response.writeHead(mood.status, { "content-type": "application/json", ...mood.headers }).end(mood.body);
      return;
    }
    const wanted = this.credentials && `Basic ${Buffer.from(this.credentials).toString("base64")}`;
    const isDelta = request.url === "/eureka/apps/delta";
    if (wanted !== undefined && request.headers.authorization !== wanted) response.writeHead(401).end();
    else if (request.method === "DELETE") this.#cancelled(request, response);
    else if (isDelta && this.noDelta) response.writeHead(403).end();
    else if (!isDelta && /^\/eureka\/apps\/[^/]+\/[^/]+$/.test(request.url ?? "")) this.#sendOne(request, response);
    else if (!isDelta && request.url !== "/eureka/apps") response.writeHead(404).end();
    else if (request.headers.accept !== "application/json") {
      response.writeHead(200, { "content-type": "application/xml" }).end("<applications/>");
    } else this.#send(isDelta ? this.#delta() : this.#full(), request, response);
  }

  #sendOne(request: IncomingMessage, response: ServerResponse): void {
    const instance = this.#instances.get(placeIn(request).join("/"));
    if (instance === undefined) response.writeHead(404).end();
    else this.#send({ instance }, request, response);
  }

  #cancelled(request: IncomingMessage, response: ServerResponse): void {
    this.cancelled.push(request.url ?? "");
    const [app, id] = placeIn(request);
    const known = this.#instances.has(`${app}/${id}`);
    this.cancel(app, id);
    response.writeHead(known ? 200 : 404).end();
  }

  #send(body: unknown, request: IncomingMessage, response: ServerResponse): void {
    const zipped = request.headers["accept-encoding"]?.includes("gzip") === true;
    const text = JSON.stringify(body);
    const bytes = zipped ? gzipSync(text) : Buffer.from(text);
    response.writeHead(200, {
      "content-type": "application/json",
      "content-length": bytes.length,
      ...(zipped && { "content-encoding": "gzip" }),
    });
    if (this.mood.type === "cuts") response.write(bytes.subarray(0, bytes.length / 2), () => response.destroy());
    else response.end(bytes);
  }

  #full(): unknown {
    return this.#applications([...this.#instances.values(), ...this.junk]);
  }

  /** The last change of each instance within the window. */
  #delta(): unknown {
    const last = new Map(this.#changes.map(({ key, instance }) => [key, instance]));
    return this.#applications([...last.values()]);
  }

  #applications(instances: readonly unknown[]): unknown {
    const apps = new Map<string, unknown[]>();
    for (const instance of instances) {
      const named = typeof instance === "object" && instance !== null && "app" in instance ? instance.app : "JUNK";
      const name = typeof named === "string" ? named : "JUNK";
      apps.set(name, [...(apps.get(name) ?? []), instance]);
    }
    const list = [...apps].map(([name, members]) => ({
      name,
      instance: this.old && members.length === 1 ? members[0] : members,
    }));
    const application = this.old ? (list.length > 1 ? list : list[0]) : list;
    return { applications: { versions__delta: "1", apps__hashcode: this.hash ?? this.#hash(), application } };
  }

  #hash(): string {
    const names = [...this.#instances.values(), ...this.junk].map((instance) => {
      const isMap = typeof instance === "object" && instance !== null && "status" in instance;
      return isMap && typeof instance.status === "string" ? instance.status : "UNKNOWN";
    });
    const sorted = [...new Set(names)].sort();
    return sorted.map((name) => `${name}_${names.filter((one) => one === name).length}_`).join("");
  }
}

/** The application and the instance that a path names. */
function placeIn({ url = "" }: IncomingMessage): readonly [string, string] {
  const [app = "", id = ""] = url.replace("/eureka/apps/", "").split("/").map(decodeURIComponent);
  return [app, id];
}

function withLease(instance: Record<string, unknown>, lease: object): Record<string, unknown> {
  return { ...instance, leaseInfo: { ...(instance["leaseInfo"] as object), ...lease } };
}

/** In the shape of `testdata/in/two-apps.json`. */
export function instanceOf(registration: Registration): Record<string, unknown> {
  const { app, id, ip = "10.0.0.1", port, securePort, metadata = {} } = registration;
  const name = app.toLowerCase();
  return {
    instanceId: id,
    hostName: registration.hostName ?? ip,
    app: app.toUpperCase(),
    ipAddr: ip,
    status: registration.status ?? "UP",
    overriddenStatus: registration.override ?? "UNKNOWN",
    port: { $: port ?? 8080, "@enabled": String(port !== undefined || securePort === undefined) },
    securePort: { $: securePort ?? 443, "@enabled": String(securePort !== undefined) },
    countryId: 1,
    dataCenterInfo: { "@class": "com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo", name: "MyOwn" },
    leaseInfo: {
      ...{ renewalIntervalInSecs: 30, durationInSecs: 90, registrationTimestamp: takenAt, evictionTimestamp: 0 },
      ...(registration.renewedAt !== undefined && { lastRenewalTimestamp: registration.renewedAt }),
    },
    metadata,
    vipAddress: registration.vip ?? name,
    secureVipAddress: registration.secureVip ?? name,
    isCoordinatingDiscoveryServer: "false",
    lastUpdatedTimestamp: String(takenAt),
    lastDirtyTimestamp: String(registration.dirtyAt ?? 1_795_227_471_281),
    actionType: "ADDED",
  };
}
