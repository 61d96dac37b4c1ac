import { byCodeUnit, objectKey, serviceKey } from "@signalbox/model";
import type {
  ConfigObject,
  Delta,
  ObjectKey,
  RegistryId,
  ServiceKey,
  ServiceRecord,
  Workload,
  WorkloadKey,
} from "@signalbox/model";
import type { JournalRecord, JournalUpdate, RegistryContent } from "./records.ts";

/** What was known at a place of the journal. */
export interface JournalState {
  /** The sequence number and time of the last record that went in; 0 before the first. */
  readonly seq: number;
  readonly at: number;
  /** What each registry had said, sorted by registry, and within it by key. */
  readonly registries: readonly RegistryContent[];
  /** The configuration in force, where the journal says it. */
  readonly config?: string;
  /** What the newest snapshot said beside the registries, as it was then. */
  readonly state?: unknown;
  /**
   * Nothing is missing: a snapshot went in, or the journal from its very first record, and no gap since. Where it is false, what
   * some registries said may be old or unknown.
   */
  readonly isComplete: boolean;
}

interface Shard {
  readonly records: Map<ServiceKey, ServiceRecord>;
  readonly workloads: Map<WorkloadKey, Workload>;
  readonly objects: Map<ObjectKey, ConfigObject>;
}

/** Rebuilds what was known from records in their order, as `readJournal` gives them. */
export class JournalFold {
  readonly #shards = new Map<RegistryId, Shard>();
  #seq = 0;
  #at = 0;
  #config: string | undefined;
  #state: unknown;
  #isComplete = false;

  /** Takes the next record. */
  apply(record: JournalRecord): void {
    if (record.seq === 1) this.#isComplete = true;
    this.#seq = record.seq;
    this.#at = record.at;
    switch (record.type) {
      case "update":
        this.#update(record.registry, record.update);
        break;
      case "config":
        this.#config = record.config;
        break;
      case "snapshot":
        this.#shards.clear();
        for (const content of record.registries) this.#shards.set(content.registry, shardOf(content));
        this.#config = record.config ?? this.#config;
        this.#state = record.state;
        this.#isComplete = true;
        break;
      case "gap":
        this.#isComplete = false;
        break;
      default:
    }
  }

  /** What is known now. Later records do not change what was given. */
  current(): JournalState {
    return {
      seq: this.#seq,
      at: this.#at,
      registries: [...this.#shards.keys()].sort(byCodeUnit).map((registry) => this.#contentOf(registry)),
      ...(this.#config !== undefined && { config: this.#config }),
      ...(this.#state !== undefined && { state: this.#state }),
      isComplete: this.#isComplete,
    };
  }

  #update(registry: RegistryId, update: JournalUpdate): void {
    if (update.type === "snapshot") {
      const { records, workloads = [], objects = [] } = update;
      this.#shards.set(registry, shardOf({ records, workloads, objects }));
      return;
    }
    const shard = this.#shards.get(registry) ?? shardOf({ records: [], workloads: [], objects: [] });
    this.#shards.set(registry, shard);
    change(shard.records, update.records, (record) => serviceKey(record.service));
    change(shard.workloads, update.workloads, (workload) => workload.key);
    change(shard.objects, update.objects, objectKey);
  }

  #contentOf(registry: RegistryId): RegistryContent {
    const shard = this.#shards.get(registry);
    return {
      registry,
      records: sorted(shard?.records),
      workloads: sorted(shard?.workloads),
      objects: sorted(shard?.objects),
    };
  }
}

function shardOf(content: Omit<RegistryContent, "registry">): Shard {
  return {
    records: new Map(content.records.map((record) => [serviceKey(record.service), record])),
    workloads: new Map(content.workloads.map((workload) => [workload.key, workload])),
    objects: new Map(content.objects.map((object) => [objectKey(object), object])),
  };
}

function change<K, V>(map: Map<K, V>, delta: Delta<K, V> | undefined, keyOf: (value: V) => K): void {
  for (const key of delta?.removed ?? []) map.delete(key);
  for (const value of delta?.upserted ?? []) map.set(keyOf(value), value);
}

function sorted<K extends string, V>(map: ReadonlyMap<K, V> = new Map<K, V>()): V[] {
  return [...map].sort(([a], [b]) => byCodeUnit(a, b)).map(([, value]) => value);
}
