import { randomUUID } from "node:crypto";
import type { Backend, RunningConsul } from "@signalbox/test-servers";
import { until, type Change } from "./fault.ts";

/** The service that all of these tests call. */
export const service = "web";

/** What a person with all rights does in a real Consul. */
export class ConsulCatalog {
  readonly #consul: RunningConsul;

  constructor(consul: RunningConsul) {
    this.#consul = consul;
  }

  /** Registers a backend, on a node of its own: an agent takes away what it does not know on its own node. */
  async register({ name, host, port }: Backend): Promise<void> {
    const Service = { ID: name, Service: service, Address: host, Port: port };
    await this.#put("/v1/catalog/register", { Node: `node-of-${name}`, Address: host, Service });
  }

  async deregister({ name }: Backend): Promise<void> {
    await this.#put("/v1/catalog/deregister", { Node: `node-of-${name}` });
  }

  /** One more endpoint. */
  adding(backend: Backend): Change {
    return {
      name: backend.name,
      make: () => this.register(backend),
      undo: () => this.deregister(backend),
    };
  }

  /** Writes a policy, in place of the one of that name. */
  async policy(name: string, rules: string): Promise<void> {
    const known = await this.#consul.request(`/v1/acl/policy/name/${name}`);
    const { ID } = known.status === 200 ? (known.json() as { ID: string }) : { ID: "" };
    await this.#put(`/v1/acl/policy${ID === "" ? "" : `/${ID}`}`, { ID, Name: name, Rules: rules });
  }

  /** Makes a token with one policy. */
  async token(policy: string): Promise<{ readonly secret: string; readonly revoke: () => Promise<void> }> {
    const [secret, accessor] = [randomUUID(), randomUUID()];
    await this.#put("/v1/acl/token", { SecretID: secret, AccessorID: accessor, Policies: [{ Name: policy }] });
    return { secret, revoke: () => this.#write("DELETE", `/v1/acl/token/${accessor}`) };
  }

  /** Waits until it takes writes: an agent that has just started answers before it has a leader. */
  async writable(): Promise<void> {
    await until("a Consul that takes writes", async () => {
      await this.#put("/v1/kv/ready", "yes");
      return true;
    });
  }

  async #put(path: string, body: unknown): Promise<void> {
    await this.#write("PUT", path, body);
  }

  async #write(method: string, path: string, body?: unknown): Promise<void> {
    const answer = await this.#consul.request(path, { method, body });
    if (answer.status !== 200) throw new Error(`${method} ${path}: ${answer.status} ${answer.text}`);
  }
}
