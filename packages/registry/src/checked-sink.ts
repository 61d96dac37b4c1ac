import { deepFreeze, objectKey, serviceKey, validateObject, validateRecord, validateWorkload } from "@signalbox/model";
import type {
  ConfigObject,
  Delta,
  ObjectKey,
  RecordFault,
  RegistryId,
  ServiceInstance,
  ServiceKey,
  ServiceRecord,
  Workload,
  WorkloadKey,
} from "@signalbox/model";
import type { Logger, Metrics } from "./observability.ts";
import type { Problem, RegistrySink, RegistryUpdate } from "./registry.ts";

/** Whom a checked sink listens to, and where it reports what it refused. */
export interface CheckedSinkOptions {
  /** The registry that speaks. Records that name another one in their provenance are refused. */
  readonly id: RegistryId;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** What is in force of this registry, also from runs before this one. Without it nothing is known of earlier statements. */
  readonly lastGood?: LastGood;
  /** Called after each update with the number of services, workloads and objects of which something is refused now. */
  onRejected?(count: number): void;
}

/** The last good form of what one registry said, by key. */
export interface LastGood {
  record(key: ServiceKey): ServiceRecord | undefined;
  workload(key: WorkloadKey): Workload | undefined;
  object(key: ObjectKey): ConfigObject | undefined;
}

/** Refused records that are logged one by one for each update; the rest is only counted. */
const maxLogged = 10;

/**
 * Guards the seam for one run of one registry; make a new one for each run. Hands on only what keeps the contract:
 *
 * - every record, workload and object is validated and deeply frozen; a malformed one is left out, logged as
 *   `record-rejected` and counted in `registry_records_rejected_total{kind}`. What was known of it before stays, in a
 *   snapshot as in a delta: a snapshot is handed on with its `lastGood` form. Without a key nothing can be kept;
 * - of a sound service with some malformed instances only these are left out, and counted as one rejected record. With
 *   no sound instance left the whole record counts as malformed;
 * - a key that comes twice counts once, the first time; a key both upserted and removed is upserted;
 * - a delta before the run's first snapshot, or something that is no update, is dropped, counted in
 *   `registry_updates_rejected_total` and told as `degraded("PROTOCOL_ERROR")`.
 *
 * Never throws to the registry, also when the guarded sink does.
 */
export function checkedSink(sink: RegistrySink, options: CheckedSinkOptions): RegistrySink {
  const checked = checkedSteps({ ...plain(sink), push: (update) => once(() => sink.push(update)) }, options);
  return {
    ...plain(checked),
    push(update) {
      const steps = checked.push(update);
      while (steps.next().done !== true);
    },
  };
}

/** What takes updates in small steps, between which anything else may happen but for another update of the same registry. */
export interface SteppedSink extends Omit<RegistrySink, "push"> {
  push(update: RegistryUpdate): Generator<undefined, undefined, undefined>;
}

/**
 * The same as `checkedSink` for updates that are checked and handed on in steps, one record in each. Nothing is handed on before all of it is
 * checked. Steps never throw.
 */
export function checkedSteps(sink: SteppedSink, options: CheckedSinkOptions): SteppedSink {
  const { id, logger, metrics } = options;
  let synced = false;
  // What passed is frozen and stays valid: saying it again, as a poll does, costs next to nothing.
  const memory: Memory = { passed: new WeakMap(), refused: new Set() };
  const failed = (error: unknown): void => logger.error("sink-failed", { registry: id, error });
  const guarded = (act: () => void): void => {
    try {
      act();
    } catch (error) {
      failed(error);
    }
  };
  const reject = (message: string): void => {
    metrics.counter("registry_updates_rejected_total");
    logger.warn("update-rejected", { registry: id, reason: message });
    guarded(() => {
      sink.degraded("PROTOCOL_ERROR", new TypeError(message));
    });
  };
  return {
    *push(update) {
      const checked = yield* check(update, synced, new Inspection(options, memory));
      if (typeof checked === "string") {
        reject(checked);
        return undefined;
      }
      synced = true;
      try {
        yield* sink.push(checked);
      } catch (error) {
        failed(error);
      }
      guarded(() => options.onRejected?.(memory.refused.size));
      return undefined;
    },
    alive() {
      guarded(() => {
        sink.alive();
      });
    },
    degraded(problem: Problem, error: Error) {
      guarded(() => {
        sink.degraded(problem, error);
      });
    },
  };
}

function plain(sink: Omit<RegistrySink, "push">): Omit<RegistrySink, "push"> {
  return {
    alive: () => sink.alive(),
    degraded: (problem, error) => sink.degraded(problem, error),
  };
}

/** Work that is one step. */
function* once(act: () => void): Generator<undefined, undefined, undefined> {
  act();
  yield;
  return undefined;
}

/** A version is kept beside many others: one that is no text, or very long, is none. */
function versionOf({ version }: RegistryUpdate): { readonly version?: string } {
  return typeof version === "string" && version.length <= maxVersionLength ? { version } : {};
}
const maxVersionLength = 1000;

/** The update without what is malformed in it, or why none of it may pass. */
function* check(
  update: RegistryUpdate,
  synced: boolean,
  inspection: Inspection,
): Generator<undefined, RegistryUpdate | string, undefined> {
  try {
    if (!isUpdate(update)) return "the update is neither a snapshot nor a delta";
    if (update.type === "delta" && !synced) return "a delta came before the first snapshot";
    const checked = yield* inspection.update(update);
    inspection.summarise();
    return checked;
  } catch (error) {
    // Junk can throw when it is read (getters, proxies).
    return `the update cannot be read: ${error instanceof Error ? error.message : "unknown"}`;
  }
}

function isUpdate(update: unknown): update is RegistryUpdate {
  if (typeof update !== "object" || update === null) return false;
  const { type, records } = update as { readonly type?: unknown; readonly records?: unknown };
  return (type === "snapshot" && Array.isArray(records)) || type === "delta";
}

interface Named {
  readonly name: "service" | "workload" | "object";
}

/** One kind of statement: its name, its key and its rules. */
interface Kind<K extends string, V> extends Named {
  lastGood(known: LastGood, key: K): V | undefined;
  keyOf(value: V): K;
  faultsOf(value: V): readonly RecordFault[];
  /** Every registry that the value names in a provenance. */
  registriesOf(value: V): readonly RegistryId[];
  /** The sound rest of a malformed value that is worth having. */
  salvage?(value: V, registry: RegistryId): V | undefined;
}

const services: Kind<ReturnType<typeof serviceKey>, ServiceRecord> = {
  name: "service",
  lastGood: (known, key) => known.record(key),
  keyOf: ({ service }) => serviceKey(service),
  faultsOf: validateRecord,
  registriesOf: ({ service, instances }) => [service, ...instances].map(({ provenance }) => provenance.registry),
  salvage: withSoundInstances,
};
const workloads: Kind<Workload["key"], Workload> = {
  name: "workload",
  lastGood: (known, key) => known.workload(key),
  keyOf: ({ key }) => key,
  faultsOf: validateWorkload,
  registriesOf: ({ provenance }) => [provenance.registry],
};
const objects: Kind<ReturnType<typeof objectKey>, ConfigObject> = {
  name: "object",
  lastGood: (known, key) => known.object(key),
  keyOf: objectKey,
  faultsOf: validateObject,
  registriesOf: ({ provenance }) => [provenance.registry],
};

/** What a run remembers from one update to the next. */
interface Memory {
  /** What passed, and as which kind. */
  readonly passed: WeakMap<object, Named["name"]>;
  /** Of what something is refused since it was last said well, by kind and key. */
  readonly refused: Set<string>;
}

/** The check of one update. */
class Inspection {
  readonly #options: CheckedSinkOptions;
  readonly #memory: Memory;
  #rejected = 0;

  constructor(options: CheckedSinkOptions, memory: Memory) {
    this.#options = options;
    this.#memory = memory;
  }

  *update(update: RegistryUpdate): Generator<undefined, RegistryUpdate, undefined> {
    if (update.type === "snapshot") {
      this.#memory.refused.clear();
      return Object.freeze({
        type: "snapshot",
        records: yield* this.#passing(services, update.records, "whole"),
        ...(update.workloads && { workloads: yield* this.#passing(workloads, update.workloads, "whole") }),
        ...(update.objects && { objects: yield* this.#passing(objects, update.objects, "whole") }),
        ...versionOf(update),
      });
    }
    return Object.freeze({
      type: "delta",
      ...(update.records && { records: yield* this.#delta(services, update.records) }),
      ...(update.workloads && { workloads: yield* this.#delta(workloads, update.workloads) }),
      ...(update.objects && { objects: yield* this.#delta(objects, update.objects) }),
      ...versionOf(update),
    });
  }

  summarise(): void {
    const { id, logger } = this.#options;
    if (this.#rejected > maxLogged) logger.warn("records-rejected", { registry: id, count: this.#rejected });
  }

  *#delta<K extends string, V extends object>(
    kind: Kind<K, V>,
    delta: Delta<K, V>,
  ): Generator<undefined, Delta<K, V>, undefined> {
    const upserted = yield* this.#passing(kind, delta.upserted, "part");
    const upsertedKeys = new Set(delta.upserted.map((value) => safeKey(kind, value)));
    const removed: K[] = [];
    for (const key of new Set(delta.removed)) {
      if (upsertedKeys.has(key)) this.#reject(kind, key, [{ path: "removed", message: "is upserted as well" }]);
      else if (typeof key !== "string") this.#reject(kind, undefined, [{ path: "removed", message: "is no key" }]);
      else {
        this.#memory.refused.delete(refusedKey(kind, key));
        removed.push(key);
      }
    }
    return Object.freeze({ upserted, removed: Object.freeze(removed) });
  }

  *#passing<K extends string, V extends object>(
    kind: Kind<K, V>,
    values: readonly V[],
    scope: "whole" | "part",
  ): Generator<undefined, readonly V[], undefined> {
    const { lastGood } = this.#options;
    const seen = new Set<K>();
    const malformed = new Set<K>();
    const passing: V[] = [];
    let isFirst = true;
    for (const value of values) {
      // Between any two: a lone one is checked without a break.
      if (!isFirst) yield;
      isFirst = false;
      const faults = this.#faultsOf(kind, value);
      const key = safeKey(kind, value);
      const good = faults.length === 0 ? value : this.#salvaged(kind, value);
      if (key !== undefined && good !== undefined && seen.has(key)) {
        this.#reject(kind, key, [{ path: "", message: "the key is taken by another record" }]);
        continue;
      }
      if (faults.length > 0 || key === undefined) this.#reject(kind, key, faults);
      if (key !== undefined && good !== undefined) {
        seen.add(key);
        if (faults.length === 0) this.#memory.refused.delete(refusedKey(kind, key));
        else this.#memory.refused.add(refusedKey(kind, key));
        this.#memory.passed.set(good, kind.name);
        passing.push(deepFreeze(good));
      } else if (key !== undefined) malformed.add(key);
      else this.#memory.refused.add(refusedKey(kind, undefined));
    }
    for (const key of malformed) {
      if (seen.has(key)) continue;
      this.#memory.refused.add(refusedKey(kind, key));
      // A delta leaves what it does not name; a snapshot would end it.
      const known = scope === "whole" && lastGood !== undefined ? kind.lastGood(lastGood, key) : undefined;
      if (known !== undefined) passing.push(known);
    }
    return Object.freeze(passing);
  }

  #salvaged<K extends string, V extends object>(kind: Kind<K, V>, value: V): V | undefined {
    try {
      return kind.salvage?.(value, this.#options.id);
    } catch {
      return undefined;
    }
  }

  #faultsOf<K extends string, V extends object>(kind: Kind<K, V>, value: V): readonly RecordFault[] {
    try {
      if (this.#memory.passed.get(value) === kind.name) return [];
      const faults = kind.faultsOf(value);
      if (faults.length > 0) return faults;
      const { id } = this.#options;
      const foreign = kind.registriesOf(value).find((registry) => registry !== id);
      return foreign === undefined ? [] : [{ path: "provenance.registry", message: `names ${foreign} and not ${id}` }];
    } catch (error) {
      return [{ path: "", message: `cannot be read: ${error instanceof Error ? error.message : "unknown"}` }];
    }
  }

  #reject(kind: Named, key: string | undefined, faults: readonly RecordFault[]): void {
    const { id, logger, metrics } = this.#options;
    metrics.counter("registry_records_rejected_total", { kind: kind.name });
    if (this.#rejected++ < maxLogged) logger.warn("record-rejected", { registry: id, kind: kind.name, key, faults });
  }
}

/** The key of a value that may be junk. */
function safeKey<K extends string, V>(kind: Kind<K, V>, value: V): K | undefined {
  try {
    return kind.keyOf(value);
  } catch {
    return undefined;
  }
}

function refusedKey(kind: Named, key: string | undefined): string {
  return `${kind.name} ${key ?? ""}`;
}

/** The service with those of its instances that are sound; undefined when the service is not, or no instance is. */
function withSoundInstances({ service, instances }: ServiceRecord, registry: RegistryId): ServiceRecord | undefined {
  if (service.provenance.registry !== registry || validateRecord({ service, instances: [] }).length > 0)
    return undefined;
  const ids = new Set<string>();
  const sound = instances.filter((instance) => {
    if (!isSound(service, instance, registry) || ids.has(instance.id)) return false;
    ids.add(instance.id);
    return true;
  });
  return sound.length === 0 ? undefined : { service, instances: sound };
}

function isSound(service: ServiceRecord["service"], instance: ServiceInstance, registry: RegistryId): boolean {
  try {
    return validateRecord({ service, instances: [instance] }).length === 0 && instance.provenance.registry === registry;
  } catch {
    return false;
  }
}
