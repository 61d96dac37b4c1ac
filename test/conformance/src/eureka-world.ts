import { serviceKey, type ServiceKey } from "@signalbox/model";
import type { Malformation, SourceInstance, SourceService, SourceWorld } from "@signalbox/registry/conformance";
import type { RunningEureka } from "@signalbox/test-servers";
import { JsRegistration } from "./eureka-js-client.ts";
import { Relay } from "./relay.ts";

/** An instance that a test registers by plain REST. */
export interface RestInstance {
  readonly app: string;
  readonly id: string;
  readonly ip: string;
  readonly port: number;
  readonly metadata?: Readonly<Record<string, string>>;
  /** Of the lease. Default 300. */
  readonly leaseSeconds?: number;
}

/** Registers an instance by plain REST, or replaces it. Nobody sends heartbeats for it. */
export async function register(server: Pick<RunningEureka, "request">, instance: RestInstance): Promise<void> {
  const { app, id, ip, port, metadata = {}, leaseSeconds = 300 } = instance;
  const body = {
    instance: {
      instanceId: id,
      hostName: ip,
      app: app.toUpperCase(),
      ipAddr: ip,
      status: "UP",
      port: { $: port, "@enabled": "true" },
      securePort: { $: 443, "@enabled": "false" },
      dataCenterInfo: { "@class": "com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo", name: "MyOwn" },
      leaseInfo: { renewalIntervalInSecs: 30, durationInSecs: leaseSeconds },
      metadata,
      vipAddress: app,
    },
  };
  const { status, text } = await server.request(`/apps/${app.toUpperCase()}`, { method: "POST", body });
  if (status !== 204) throw new Error(`the registration of ${id} was refused with status ${status}: ${text}`);
}

/** Deregisters an instance; one that the server does not know is gone already. */
export async function cancel(server: Pick<RunningEureka, "request">, app: string, id: string): Promise<void> {
  const { status } = await server.request(`/apps/${app.toUpperCase()}/${id}`, { method: "DELETE" });
  if (status !== 200 && status !== 404) throw new Error(`the deregistration of ${id} met status ${status}`);
}

interface Registered extends RestInstance {
  /** Absent where it was registered by plain REST. */
  readonly js?: JsRegistration;
}

/**
 * A real Eureka server in the hands of the contract suite. Instances without labels are registered by eureka-js-client,
 * those with labels by plain REST, because eureka-js-client loses a label named `__proto__`. The adapter reads through a
 * relay of bytes, which can cut an answer and knows how many connections are open.
 */
export class EurekaWorld implements SourceWorld {
  readonly #server: RunningEureka;
  readonly #relay: Relay;
  readonly #instances = new Map<string, Registered>();
  #down = false;

  private constructor(server: RunningEureka, relay: Relay) {
    this.#server = server;
    this.#relay = relay;
  }

  /** Empties the server, which no other test may use meanwhile. */
  static async open(server: RunningEureka): Promise<EurekaWorld> {
    const { applications } = (await server.request("/apps")).json() as {
      applications: { application: readonly { name: string; instance: readonly { instanceId: string }[] }[] };
    };
    for (const { name, instance } of applications.application)
      for (const { instanceId } of instance) await cancel(server, name, instanceId);
    return new EurekaWorld(server, await Relay.open(Number(new URL(server.url).port)));
  }

  /** Where the adapter reads. */
  get url(): string {
    return `http://127.0.0.1:${this.#relay.port}/eureka`;
  }

  async set({ name, port, instances }: SourceService): Promise<ServiceKey> {
    const wanted = new Map(instances.map((instance) => [`${name}/${instance.name}`, instance]));
    for (const [key, instance] of this.#instances)
      if (instance.app === name && !wanted.has(key)) await this.#cancel(key, instance);
    for (const [key, instance] of wanted) await this.#set(key, name, port, instance);
    return serviceKey({ namespace: "default", hostname: `${name}.eureka` });
  }

  async remove(name: string): Promise<void> {
    for (const [key, instance] of this.#instances) if (instance.app === name) await this.#cancel(key, instance);
  }

  touch(): Promise<void> {
    return Promise.resolve();
  }

  together(changes: () => Promise<void>): Promise<void> {
    // The clock stands still meanwhile, so no poll comes in between.
    return changes();
  }

  async break(): Promise<void> {
    this.#down = true;
    await this.#server.kill();
  }

  truncate(): Promise<void> {
    this.#relay.cutting = true;
    return Promise.resolve();
  }

  stall(): Promise<void> {
    this.#server.freeze();
    return Promise.resolve();
  }

  async mend(): Promise<void> {
    this.#relay.cutting = false;
    this.#server.thaw();
    if (this.#down) await this.restart();
  }

  /** Its memory is all that a server has, so its clients register again before this resolves. */
  async restart(): Promise<void> {
    await this.#server.restart();
    this.#down = false;
    for (const instance of this.#instances.values()) {
      if (instance.js === undefined) await register(this.#server, instance);
      else await instance.js.again();
    }
  }

  async malform(kind: Malformation): Promise<void> {
    const bad = { app: "bad", id: `bad-${kind}`, ip: "10.0.0.1", port: 8080 };
    if (kind === "port") await this.#register({ ...bad, port: 70_000 });
    else if (kind === "weight") await this.#register({ ...bad, metadata: { weight: "-1" } });
    else if (kind === "address") await this.#register({ ...bad, ip: "10.0.0.999" });
    else throw new TypeError("the server itself refuses what is no instance");
  }

  async close(): Promise<void> {
    await this.#relay.close();
    for (const [key, instance] of this.#instances) await this.#cancel(key, instance);
  }

  connections(): Promise<number> {
    return Promise.resolve(this.#relay.connections);
  }

  async #set(key: string, app: string, port: number, { name: id, ip, labels }: SourceInstance): Promise<void> {
    const instance: RestInstance = { app, id, ip, port, ...(labels && { metadata: labels }) };
    const before = this.#instances.get(key);
    if (before !== undefined && same(before, instance)) return;
    if (before !== undefined) await this.#cancel(key, before);
    if (labels !== undefined) await this.#register(instance);
    else
      this.#instances.set(key, { ...instance, js: await JsRegistration.start({ ...instance, url: this.#server.url }) });
  }

  async #register(instance: RestInstance): Promise<void> {
    await register(this.#server, instance);
    this.#instances.set(`${instance.app}/${instance.id}`, instance);
  }

  async #cancel(key: string, { app, id, js }: Registered): Promise<void> {
    this.#instances.delete(key);
    if (js === undefined) await cancel(this.#server, app, id);
    else await js.stop();
  }
}

function same(before: Registered, now: RestInstance): boolean {
  const { js: _, ...plain } = before;
  return JSON.stringify(plain) === JSON.stringify(now);
}
