import Consul from "consul";
import { randomUUID } from "node:crypto";
import { serviceKey, type ServiceKey } from "@signalbox/model";
import type { Problem } from "@signalbox/registry";
import type { Malformation, SourceService, SourceWorld } from "@signalbox/registry/conformance";
import { startConsul, waitFor, type ConsulOptions, type RunningConsul } from "@signalbox/test-servers";

/** One registration, as the independent client takes it. */
export interface Registration {
  readonly node: string;
  readonly address?: string;
  readonly id: string;
  readonly service: string;
  readonly ip?: string;
  readonly port: number;
  readonly meta?: Readonly<Record<string, string>>;
  readonly status?: "passing" | "warning" | "critical";
}

/** Registers through the npm client, which shares no code with the adapter. Nodes are never the agent's own: it takes away what it does not know. */
export class Registrar {
  readonly #consul: Consul;

  constructor({ url, token }: Pick<RunningConsul, "url" | "token">) {
    const { hostname, port } = new URL(url);
    const defaults = token === undefined ? {} : { token };
    this.#consul = new Consul({ host: hostname, port: Number(port), defaults });
  }

  async register(registration: Registration): Promise<void> {
    const { node, address = "10.99.0.1", id, service, ip = "", port, meta = {}, status } = registration;
    const check = status && { node, checkid: `service:${id}`, name: id, serviceid: id, status };
    await this.#consul.catalog.register({
      node,
      address,
      service: { id, service, address: ip, port, meta: { ...meta } },
      ...(check && { check }),
    });
  }

  async deregister(node: string, serviceid?: string): Promise<void> {
    await this.#consul.catalog.deregister({ node, ...(serviceid !== undefined && { serviceid }) });
  }
}

/** A policy that sees what discovery needs. */
export const readAll = 'service_prefix "" { policy = "read" } node_prefix "" { policy = "read" }';

/** A real agent with access control and its data on disk. */
export class AclConsul {
  readonly server: RunningConsul;
  readonly registrar: Registrar;

  constructor(server: RunningConsul) {
    this.server = server;
    this.registrar = new Registrar(server);
  }

  static async start(options: ConsulOptions = {}): Promise<AclConsul> {
    return new AclConsul(await startConsul({ own: true, acl: true, data: "disk", ...options }));
  }

  /** Writes a policy, in place of the one of that name. */
  async policy(name: string, rules: string): Promise<void> {
    const known = await this.ask(`/v1/acl/policy/name/${name}`, "GET");
    const id = typeof known === "object" && known !== null && "ID" in known ? String(known.ID) : "";
    await this.ask(`/v1/acl/policy${id === "" ? "" : `/${id}`}`, "PUT", { ID: id, Name: name, Rules: rules });
  }

  /** Makes a token with one policy. */
  async token(
    policy: string,
    { secret, accessor }: { readonly secret: string; readonly accessor: string },
  ): Promise<void> {
    const body = { SecretID: secret, AccessorID: accessor, Policies: [{ Name: policy }] };
    const answer = await this.server.request("/v1/acl/token", { method: "PUT", body });
    if (answer.status !== 200 && !/already|in use/.test(answer.text)) throw new Error(`no token: ${answer.text}`);
  }

  async revoke(accessor: string): Promise<void> {
    await this.ask(`/v1/acl/token/${accessor}`, "DELETE");
  }

  /** Takes away every node but the agent's own. */
  async clear(): Promise<void> {
    for (const node of await this.nodes()) await this.registrar.deregister(node);
  }

  async nodes(): Promise<readonly string[]> {
    const nodes = await this.ask("/v1/catalog/nodes", "GET");
    if (!Array.isArray(nodes)) throw new TypeError("no list of nodes");
    return nodes.map(({ Node }: { readonly Node: string }) => Node).filter((node) => node !== "signalbox-test");
  }

  /** Waits until it takes writes again. */
  async writable(): Promise<void> {
    await waitFor(
      async () => (await this.server.request("/v1/kv/ready", { method: "PUT", body: "yes" })).status === 200,
      { what: "a Consul that takes writes", deadlineMs: 60_000 },
    );
  }

  async ask(path: string, method: string, body?: unknown): Promise<unknown> {
    const answer = await this.server.request(path, { method, ...(body !== undefined && { body }) });
    if (answer.status === 404 && method === "GET") return undefined;
    if (answer.status !== 200) throw new Error(`${method} ${path}: ${answer.status} ${answer.text}`);
    return answer.text === "" ? undefined : answer.json();
  }
}

/** A real agent in the hands of the contract suite. Instances have a node each. */
export class ConsulWorld implements SourceWorld {
  readonly secret = randomUUID();
  readonly #accessor = randomUUID();
  readonly #consul: AclConsul;
  readonly #nodes = new Map<string, Set<string>>();
  #state: "up" | "down" | "frozen" | "revoked" = "up";
  #touched = 0;

  private constructor(consul: AclConsul) {
    this.#consul = consul;
  }

  static async open(consul: AclConsul): Promise<ConsulWorld> {
    const world = new ConsulWorld(consul);
    await consul.clear();
    await consul.policy("reader", readAll);
    await world.#grant();
    return world;
  }

  get url(): string {
    return this.#consul.server.url;
  }

  async set({ name, port, instances }: SourceService): Promise<ServiceKey> {
    const before = this.#nodes.get(name) ?? new Set();
    const now = new Set(instances.map((instance) => `node-of-${instance.name}`));
    for (const instance of instances) {
      const { name: id, ip, labels = {} } = instance;
      await this.#consul.registrar.register({ node: `node-of-${id}`, id, service: name, ip, port, meta: labels });
    }
    for (const node of before) if (!now.has(node)) await this.#consul.registrar.deregister(node);
    this.#nodes.set(name, now);
    return serviceKey({ namespace: "default", hostname: `${name}.service.consul` });
  }

  async remove(name: string): Promise<void> {
    for (const node of this.#nodes.get(name) ?? []) await this.#consul.registrar.deregister(node);
    this.#nodes.delete(name);
  }

  /** A check says something else and stays as it is. */
  async touch(): Promise<void> {
    this.#touched++;
    for (const node of [...this.#nodes.values()].flatMap((nodes) => [...nodes])) {
      const check = { CheckID: "note", Name: "note", Status: "passing", Output: `look ${this.#touched}` };
      await this.#consul.ask("/v1/catalog/register", "PUT", {
        ...{ Node: node, Address: "10.99.0.1", SkipNodeUpdate: true },
        Check: { Node: node, ...check },
      });
    }
  }

  async break(problem: Problem): Promise<void> {
    if (problem === "UNREACHABLE") {
      this.#state = "down";
      await this.#consul.server.kill();
    } else {
      this.#state = "revoked";
      await this.#consul.revoke(this.#accessor);
    }
  }

  stall(): Promise<void> {
    this.#state = "frozen";
    this.#consul.server.freeze();
    return Promise.resolve();
  }

  async mend(): Promise<void> {
    const state = this.#state;
    this.#state = "up";
    if (state === "down") await this.restart();
    else if (state === "frozen") {
      this.#consul.server.thaw();
      await this.#consul.writable();
    } else if (state === "revoked") await this.#grant();
  }

  async restart(): Promise<void> {
    await this.#consul.server.restart();
    await this.#consul.writable();
  }

  async malform(kind: Malformation): Promise<void> {
    const service = { ID: "malformed", Service: "malformed", Address: "10.9.9.9", Port: 80 };
    const forms: Record<Malformation, object> = {
      object: service,
      port: { ...service, Port: 70_000 },
      weight: { ...service, Weights: { Passing: -1, Warning: 1 } },
      address: { ...service, Address: "no address" },
    };
    await this.#consul.ask("/v1/catalog/register", "PUT", {
      ...{ Node: "node-of-malformed", Address: "10.99.0.1" },
      Service: forms[kind],
    });
  }

  async close(): Promise<void> {
    await this.mend();
    await this.#consul.revoke(this.#accessor);
  }

  #grant(): Promise<void> {
    return this.#consul.token("reader", { secret: this.secret, accessor: this.#accessor });
  }
}
