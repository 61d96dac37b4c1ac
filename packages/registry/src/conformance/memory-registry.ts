import { objectKey, registryId, serviceKey } from "@signalbox/model";
import type {
  ConfigObject,
  ObjectKey,
  RegistryId,
  ServiceKey,
  ServiceRecord,
  Workload,
  WorkloadKey,
} from "@signalbox/model";
import { backoff } from "../backoff.ts";
import { pollLoop, watchLoop } from "../loops.ts";
import type { LoopOptions } from "../loops.ts";
import type { Problem, Registry, RegistryDeps, RegistrySink, RegistryUpdate } from "../registry.ts";
import { SourceError } from "../source-error.ts";

/** What one read of a MemorySource gives. Services are what was put in, well-formed or not. */
interface Reading {
  readonly version: number;
  readonly services: ReadonlyMap<string, unknown>;
  /** How many services there are; more than `services` holds where the read was cut. */
  readonly total: number;
  readonly workloads: ReadonlyMap<WorkloadKey, Workload>;
  readonly objects: ReadonlyMap<ObjectKey, ConfigObject>;
}

/** A source of services in memory, for tests of what comes after the registries. It can break, hang, and cut its answers. */
export class MemorySource {
  readonly #services = new Map<string, unknown>();
  readonly #workloads = new Map<WorkloadKey, Workload>();
  readonly #objects = new Map<ObjectKey, ConfigObject>();
  readonly #waiting = new Set<() => void>();
  readonly #token: string | undefined;
  #version = 1;
  #held = false;
  #mood: Problem | "FINE" | "STALLED" | "TRUNCATED" = "FINE";

  /** With a token, only readers that have the same one are answered. */
  constructor(token?: string) {
    this.#token = token;
  }

  /** Creates or replaces a service. The provenance that readers see names their registry. */
  set(record: ServiceRecord): ServiceKey {
    const key = serviceKey(record.service);
    this.setRaw(key, record);
    return key;
  }

  /** Puts anything in the place of a service, also what is no record. */
  setRaw(key: string, value: unknown): void {
    this.#services.set(key, value);
    this.touch();
  }

  remove(key: ServiceKey): void {
    if (this.#services.delete(key)) this.touch();
  }

  setWorkload(workload: Workload): void {
    this.#workloads.set(workload.key, workload);
    this.touch();
  }

  removeWorkload(key: WorkloadKey): void {
    if (this.#workloads.delete(key)) this.touch();
  }

  setObject(object: ConfigObject): ObjectKey {
    const key = objectKey(object);
    this.#objects.set(key, object);
    this.touch();
    return key;
  }

  removeObject(key: ObjectKey): void {
    if (this.#objects.delete(key)) this.touch();
  }

  /** Has readers look again, without news. */
  touch(): void {
    this.#version++;
    if (this.#held) return;
    for (const wake of [...this.#waiting]) wake();
  }

  /** Makes several changes that readers see together. */
  async together(changes: () => void | Promise<void>): Promise<void> {
    this.#held = true;
    try {
      await changes();
    } finally {
      this.#held = false;
      this.touch();
    }
  }

  /** How reads go from now on: they fail, never end, are cut in the middle, or are fine. */
  become(mood: Problem | "FINE" | "STALLED" | "TRUNCATED"): void {
    this.#mood = mood;
    this.touch();
  }

  /** One read. Rejects with a SourceError, or with the signal's reason. */
  async read(token: string | undefined, signal: AbortSignal): Promise<Reading> {
    signal.throwIfAborted();
    while (this.#mood === "STALLED") await this.#woken(signal);
    if (this.#mood === "AUTH_FAILED" || token !== this.#token)
      throw new SourceError("AUTH_FAILED", "the source refused the token");
    if (this.#mood === "UNREACHABLE" || this.#mood === "PROTOCOL_ERROR")
      throw new SourceError(this.#mood, "the source is broken");
    const services = [...this.#services];
    return {
      version: this.#version,
      services: new Map(this.#mood === "TRUNCATED" ? services.slice(0, services.length / 2) : services),
      total: services.length,
      workloads: new Map(this.#workloads),
      objects: new Map(this.#objects),
    };
  }

  /** Resolves when the version is another than the given one; rejects with the signal's reason. */
  async changed(version: number, signal: AbortSignal): Promise<void> {
    while (this.#version === version || this.#held) await this.#woken(signal);
  }

  #woken(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      signal.throwIfAborted();
      const end = (act: () => void) => (): void => {
        this.#waiting.delete(wake);
        signal.removeEventListener("abort", abort);
        act();
      };
      const wake = end(resolve);
      const abort = end(() => {
        reject(signal.reason as Error);
      });
      this.#waiting.add(wake);
      signal.addEventListener("abort", abort);
    });
  }
}

/** How a MemoryRegistry reads. */
export interface MemoryRegistryOptions {
  /** `watch`: a snapshot, then a delta for each change. `poll`: snapshots by the clock. Default `watch`. */
  readonly mode?: "watch" | "poll";
  /** Pause between two reads in mode `poll`, in milliseconds. Default 1000. */
  readonly intervalMs?: number;
  /** What the source asks for. */
  readonly token?: string;
}

/** A registry over a MemorySource, `memory/<name>`: complete and real, without a network. */
export class MemoryRegistry implements Registry {
  readonly id: RegistryId;
  readonly #source: MemorySource;
  readonly #deps: RegistryDeps;
  readonly #options: MemoryRegistryOptions;

  constructor(source: MemorySource, deps: RegistryDeps, options: MemoryRegistryOptions = {}) {
    this.id = registryId("memory", deps.name);
    this.#source = source;
    this.#deps = deps;
    this.#options = options;
  }

  async run(sink: RegistrySink, signal: AbortSignal): Promise<void> {
    const loop: LoopOptions = { sink, signal, clock: this.#deps.clock, backoff: backoff() };
    if (this.#options.mode === "poll") await this.#poll(loop);
    else await watchLoop({ ...loop, session: () => this.#watch(sink, signal) });
  }

  async #poll(loop: LoopOptions): Promise<void> {
    let last: Reading | undefined;
    await pollLoop({
      ...loop,
      intervalMs: this.#options.intervalMs ?? 1000,
      read: async (signal) => {
        const reading = await this.#read(signal);
        const news = last === undefined || isNews(last, reading);
        last = reading;
        return news ? this.#snapshot(reading) : undefined;
      },
    });
  }

  async #watch(sink: RegistrySink, signal: AbortSignal): Promise<void> {
    let last = await this.#read(signal);
    sink.push(this.#snapshot(last));
    for (;;) {
      await this.#source.changed(last.version, signal);
      const reading = await this.#read(signal);
      if (isNews(last, reading)) sink.push(this.#delta(last, reading));
      else sink.alive();
      last = reading;
    }
  }

  async #read(signal: AbortSignal): Promise<Reading> {
    const reading = await this.#source.read(this.#options.token, signal);
    if (reading.services.size < reading.total)
      throw new SourceError("PROTOCOL_ERROR", `${reading.services.size} of ${reading.total} services`);
    return reading;
  }

  #snapshot({ services, workloads, objects }: Reading): RegistryUpdate {
    return {
      type: "snapshot",
      records: this.#convert(services.values()),
      workloads: [...workloads.values()].map((workload) => this.#own(workload)),
      objects: [...objects.values()].map((object) => this.#own(object)),
    };
  }

  #delta(last: Reading, next: Reading): RegistryUpdate {
    const services = difference(last.services, next.services);
    const workloads = difference(last.workloads, next.workloads);
    const objects = difference(last.objects, next.objects);
    return {
      type: "delta",
      records: { upserted: this.#convert(services.upserted), removed: services.removed as ServiceKey[] },
      workloads: { ...workloads, upserted: workloads.upserted.map((workload) => this.#own(workload)) },
      objects: { ...objects, upserted: objects.upserted.map((object) => this.#own(object)) },
    };
  }

  #convert(services: Iterable<unknown>): readonly ServiceRecord[] {
    const records: ServiceRecord[] = [];
    for (const value of services) {
      if (isRecord(value)) {
        records.push({
          service: this.#own(value.service),
          instances: value.instances.map((instance) => this.#own(instance)),
        });
      } else {
        this.#deps.metrics.counter("registry_objects_dropped_total");
        this.#deps.logger.warn("object-dropped", { registry: this.id });
      }
    }
    return records;
  }

  /** A copy that says it comes from this registry. */
  #own<T extends { readonly provenance: ServiceRecord["service"]["provenance"] }>(value: T): T {
    return { ...value, provenance: { ...value.provenance, registry: this.id } };
  }
}

function isRecord(value: unknown): value is ServiceRecord {
  return typeof value === "object" && value !== null && "service" in value && "instances" in value;
}

function isNews(last: Reading, next: Reading): boolean {
  return [
    difference<string, unknown>(last.services, next.services),
    difference<string, unknown>(last.workloads, next.workloads),
    difference<string, unknown>(last.objects, next.objects),
  ].some(({ upserted, removed }) => upserted.length + removed.length > 0);
}

/** What is another object, or no longer there. */
function difference<K, V>(
  last: ReadonlyMap<K, V>,
  next: ReadonlyMap<K, V>,
): { readonly upserted: readonly V[]; readonly removed: readonly K[] } {
  return {
    upserted: [...next].filter(([key, value]) => last.get(key) !== value).map(([, value]) => value),
    removed: [...last.keys()].filter((key) => !next.has(key)),
  };
}
