import { serviceKey, type ServiceKey } from "@signalbox/model";
import type { Problem } from "@signalbox/registry";
import type { Malformation, SourceService, SourceWorld } from "@signalbox/registry/conformance";
import { consulEntry } from "./entries.ts";
import { FakeConsul, type FakeEntry } from "./fake-consul.ts";

/** A fake Consul with access control in the hands of the contract suite. */
export class ConsulWorld implements SourceWorld {
  readonly secret = "0f6ad5c1-7a0b-4f4e-9f1c-5d3f6ad5c17a";
  readonly fake: FakeConsul;

  private constructor(fake: FakeConsul) {
    this.fake = fake;
    fake.policies = new Map([[this.secret, { service: () => true, node: () => true }]]);
  }

  static async open(): Promise<ConsulWorld> {
    return new ConsulWorld(await FakeConsul.start());
  }

  set({ name, port, instances }: SourceService): Promise<ServiceKey> {
    const entries = instances.map((instance) =>
      consulEntry(name, {
        node: `node-of-${instance.name}`,
        id: instance.name,
        ip: instance.ip,
        port,
        meta: { ...instance.labels },
      }),
    );
    this.fake.set(name, entries);
    return Promise.resolve(serviceKey({ namespace: "default", hostname: `${name}.service.consul` }));
  }

  remove(name: string): Promise<void> {
    this.fake.set(name, []);
    return Promise.resolve();
  }

  touch(): Promise<void> {
    this.fake.bump();
    return Promise.resolve();
  }

  together(changes: () => Promise<void>): Promise<void> {
    return this.fake.together(changes);
  }

  async break(problem: Problem): Promise<void> {
    if (problem === "UNREACHABLE") await this.fake.down();
    else this.fake.fault = problem === "AUTH_FAILED" ? "forbidden" : "html";
  }

  truncate(): Promise<void> {
    this.fake.fault = "truncated";
    return Promise.resolve();
  }

  stall(): Promise<void> {
    this.fake.fault = "hang";
    return Promise.resolve();
  }

  async mend(): Promise<void> {
    this.fake.fault = "none";
    if (!this.fake.isUp) await this.fake.up();
  }

  async restart(): Promise<void> {
    await this.fake.down();
    await this.fake.up();
  }

  malform(kind: Malformation): Promise<void> {
    const forms: Record<Malformation, FakeEntry> = {
      object: { ...consulEntry("malformed"), Service: "no map" },
      port: consulEntry("malformed", { port: 70_000 }),
      weight: consulEntry("malformed", { Service: { Weights: { Passing: -1, Warning: 1 } } }),
      address: consulEntry("malformed", { ip: "no address" }),
    };
    this.fake.set("malformed", [forms[kind]]);
    return Promise.resolve();
  }

  connections(): Promise<number> {
    return this.fake.connections();
  }

  close(): Promise<void> {
    return this.fake.close();
  }
}
