import type { ObjectKey, ServiceKey, WorkloadKey } from "@signalbox/model";
import { configObject, MemorySource, serviceRecord, workload } from "../conformance/index.ts";
import type { Malformation, SourceService, SourceWorld, Supports } from "../conformance/index.ts";
import type { Problem } from "../registry.ts";

/** What a MemoryRegistry that watches can do. */
export const watching: Supports = {
  deltas: true,
  workloads: true,
  objects: true,
  truncation: true,
  secrets: true,
  emptyServices: true,
  backoff: true,
  problems: ["UNREACHABLE", "AUTH_FAILED", "PROTOCOL_ERROR"],
  malformed: ["object", "port", "weight", "address"],
  labelKeys: ["__proto__", "constructor", "toString"],
};

/** A MemorySource in the hands of the contract suite. */
export class MemoryWorld implements SourceWorld {
  readonly secret = "s3cret-t0ken";
  readonly source = new MemorySource(this.secret);
  readonly #keys = new Map<string, ServiceKey>();

  set(service: SourceService): Promise<ServiceKey> {
    const key = this.source.set(
      serviceRecord({
        hostname: `${service.name}.memory`,
        instances: service.instances.map(({ name, ip, labels }) => ({
          id: name,
          address: ip,
          port: service.port,
          ...(labels && { labels }),
        })),
      }),
    );
    this.#keys.set(service.name, key);
    return Promise.resolve(key);
  }

  remove(name: string): Promise<void> {
    const key = this.#keys.get(name);
    if (key !== undefined) this.source.remove(key);
    return Promise.resolve();
  }

  touch(): Promise<void> {
    this.source.touch();
    return Promise.resolve();
  }

  break(problem: Problem): Promise<void> {
    this.source.become(problem);
    return Promise.resolve();
  }

  truncate(): Promise<void> {
    this.source.become("TRUNCATED");
    return Promise.resolve();
  }

  stall(): Promise<void> {
    this.source.become("STALLED");
    return Promise.resolve();
  }

  mend(): Promise<void> {
    this.source.become("FINE");
    return Promise.resolve();
  }

  restart(): Promise<void> {
    this.source.become("UNREACHABLE");
    this.source.become("FINE");
    return Promise.resolve();
  }

  together(changes: () => Promise<void>): Promise<void> {
    return this.source.together(changes);
  }

  malform(kind: Malformation): Promise<void> {
    const bad = serviceRecord({
      hostname: "malformed.memory",
      ports: [kind === "port" ? 65_536 : 80],
      instances: [{ address: kind === "address" ? "10.0.0.256 " : "10.0.0.1", weight: kind === "weight" ? -1 : 1 }],
    });
    this.source.setRaw("malformed", kind === "object" ? "not a record" : bad);
    return Promise.resolve();
  }

  setWorkload(name: string, ip: string): Promise<WorkloadKey> {
    const vm = workload({ name, addresses: [ip] });
    this.source.setWorkload(vm);
    return Promise.resolve(vm.key);
  }

  removeWorkload(name: string): Promise<void> {
    this.source.removeWorkload(workload({ name }).key);
    return Promise.resolve();
  }

  setObject(object: { readonly kind: string; readonly name: string; readonly spec: unknown }): Promise<ObjectKey> {
    return Promise.resolve(this.source.setObject(configObject(object)));
  }

  removeObject(key: ObjectKey): Promise<void> {
    this.source.removeObject(key);
    return Promise.resolve();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
