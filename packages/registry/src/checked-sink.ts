import { deepFreeze, objectKey, serviceKey, validateObject, validateRecord, validateWorkload } from "@signalbox/model";
import type { ConfigObject, Delta, RecordFault, RegistryId, ServiceRecord, Workload } from "@signalbox/model";
import type { Logger, Metrics } from "./observability.ts";
import type { Problem, RegistrySink, RegistryUpdate } from "./registry.ts";

/** Whom a checked sink listens to, and where it reports what it refused. */
export interface CheckedSinkOptions {
  /** The registry that speaks. Records that name another one in their provenance are refused. */
  readonly id: RegistryId;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

/** Refused records that are logged one by one for each update; the rest is only counted. */
const maxLogged = 10;

/**
 * Guards the seam for one run of one registry; make a new one for each run. Hands on only what keeps the contract:
 *
 * - every record, workload and object is validated and deeply frozen; a malformed one is left out, logged as
 *   `record-rejected` and counted in `registry_records_rejected_total{kind}`. Left out of a delta, what was known before stays;
 * - a key that comes twice counts once, the first time; a key both upserted and removed is upserted;
 * - a delta before the run's first snapshot, or something that is no update, is dropped, counted in
 *   `registry_updates_rejected_total` and told as `degraded("PROTOCOL_ERROR")`.
 *
 * Never throws to the registry, also when the guarded sink does.
 */
export function checkedSink(sink: RegistrySink, options: CheckedSinkOptions): RegistrySink {
  const { id, logger, metrics } = options;
  let synced = false;
  // What passed is frozen and stays valid: saying it again, as a poll does, costs next to nothing.
  const passed: Passed = new WeakMap();
  const guarded = (act: () => void): void => {
    try {
      act();
    } catch (error) {
      logger.error("sink-failed", { registry: id, error });
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
    push(update) {
      const checked = check(update, synced, new Inspection(options, passed));
      if (typeof checked === "string") {
        reject(checked);
        return;
      }
      synced = true;
      guarded(() => {
        sink.push(checked);
      });
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

/** The update without what is malformed in it, or why none of it may pass. */
function check(update: RegistryUpdate, synced: boolean, inspection: Inspection): RegistryUpdate | string {
  try {
    if (!isUpdate(update)) return "the update is neither a snapshot nor a delta";
    if (update.type === "delta" && !synced) return "a delta came before the first snapshot";
    const checked = inspection.update(update);
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

/** One kind of statement: its name, its key and its rules. */
interface Kind<K extends string, V> {
  readonly name: "service" | "workload" | "object";
  keyOf(value: V): K;
  faultsOf(value: V): readonly RecordFault[];
  /** Every registry that the value names in a provenance. */
  registriesOf(value: V): readonly RegistryId[];
}

const services: Kind<ReturnType<typeof serviceKey>, ServiceRecord> = {
  name: "service",
  keyOf: ({ service }) => serviceKey(service),
  faultsOf: validateRecord,
  registriesOf: ({ service, instances }) => [service, ...instances].map(({ provenance }) => provenance.registry),
};
const workloads: Kind<Workload["key"], Workload> = {
  name: "workload",
  keyOf: ({ key }) => key,
  faultsOf: validateWorkload,
  registriesOf: ({ provenance }) => [provenance.registry],
};
const objects: Kind<ReturnType<typeof objectKey>, ConfigObject> = {
  name: "object",
  keyOf: objectKey,
  faultsOf: validateObject,
  registriesOf: ({ provenance }) => [provenance.registry],
};

/** What passed, and as which kind. */
type Passed = WeakMap<object, Kind<never, never>["name"]>;

/** The check of one update. */
class Inspection {
  readonly #options: CheckedSinkOptions;
  readonly #passed: Passed;
  #rejected = 0;

  constructor(options: CheckedSinkOptions, passed: Passed) {
    this.#options = options;
    this.#passed = passed;
  }

  update(update: RegistryUpdate): RegistryUpdate {
    if (update.type === "snapshot") {
      return Object.freeze({
        type: "snapshot",
        records: this.#passing(services, update.records),
        ...(update.workloads && { workloads: this.#passing(workloads, update.workloads) }),
        ...(update.objects && { objects: this.#passing(objects, update.objects) }),
      });
    }
    return Object.freeze({
      type: "delta",
      ...(update.records && { records: this.#delta(services, update.records) }),
      ...(update.workloads && { workloads: this.#delta(workloads, update.workloads) }),
      ...(update.objects && { objects: this.#delta(objects, update.objects) }),
    });
  }

  summarise(): void {
    const { id, logger } = this.#options;
    if (this.#rejected > maxLogged) logger.warn("records-rejected", { registry: id, count: this.#rejected });
  }

  #delta<K extends string, V extends object>(kind: Kind<K, V>, delta: Delta<K, V>): Delta<K, V> {
    const upserted = this.#passing(kind, delta.upserted);
    const upsertedKeys = new Set(delta.upserted.map((value) => safeKey(kind, value)));
    const removed: K[] = [];
    for (const key of new Set(delta.removed)) {
      if (upsertedKeys.has(key)) this.#reject(kind, key, [{ path: "removed", message: "is upserted as well" }]);
      else if (typeof key !== "string") this.#reject(kind, undefined, [{ path: "removed", message: "is no key" }]);
      else removed.push(key);
    }
    return Object.freeze({ upserted, removed: Object.freeze(removed) });
  }

  #passing<K extends string, V extends object>(kind: Kind<K, V>, values: readonly V[]): readonly V[] {
    const seen = new Set<K>();
    const passing: V[] = [];
    for (const value of values) {
      const faults = this.#faultsOf(kind, value);
      const key = safeKey(kind, value);
      if (faults.length > 0 || key === undefined) this.#reject(kind, key, faults);
      else if (seen.has(key)) this.#reject(kind, key, [{ path: "", message: "the key is taken by another record" }]);
      else {
        seen.add(key);
        this.#passed.set(value, kind.name);
        passing.push(deepFreeze(value));
      }
    }
    return Object.freeze(passing);
  }

  #faultsOf<K extends string, V extends object>(kind: Kind<K, V>, value: V): readonly RecordFault[] {
    try {
      if (this.#passed.get(value) === kind.name) return [];
      const faults = kind.faultsOf(value);
      if (faults.length > 0) return faults;
      const { id } = this.#options;
      const foreign = kind.registriesOf(value).find((registry) => registry !== id);
      return foreign === undefined ? [] : [{ path: "provenance.registry", message: `names ${foreign} and not ${id}` }];
    } catch (error) {
      return [{ path: "", message: `cannot be read: ${error instanceof Error ? error.message : "unknown"}` }];
    }
  }

  #reject(kind: Kind<string, never>, key: string | undefined, faults: readonly RecordFault[]): void {
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
