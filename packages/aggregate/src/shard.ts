import { isDeepStrictEqual } from "node:util";
import { byCodeUnit, canonicalIp, deepFreeze, objectKey, serviceKey } from "@signalbox/model";
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
import { ServiceNames } from "@signalbox/policy";
import type { LastGood, RegistryUpdate, ShardContent } from "@signalbox/registry";
import { atOnce, each, type Steps } from "@signalbox/slices";
import { sameTreatment, served } from "./freshness.ts";
import type { Treatment } from "./freshness.ts";

/** Keys about which something may have changed and that have not been looked at since. */
export class Touched {
  readonly services = new Set<ServiceKey>();
  readonly workloads = new Set<WorkloadKey>();
  readonly objects = new Set<ObjectKey>();
  /** Whether only the endpoints of some service among them may have changed. */
  hasEndpoints = false;

  get size(): number {
    return this.services.size + this.workloads.size + this.objects.size;
  }

  /** Has all keys of another one too. */
  add({ hasEndpoints, objects, services, workloads }: Touched): void {
    for (const key of services) this.services.add(key);
    for (const key of workloads) this.workloads.add(key);
    for (const key of objects) this.objects.add(key);
    this.hasEndpoints ||= hasEndpoints;
  }
}

/** All that one registry says. */
class Shard {
  readonly id: RegistryId;
  readonly precedence: number;
  /** By the registry's own keys. */
  records = new Map<ServiceKey, ServiceRecord>();
  workloads = new Map<WorkloadKey, Workload>();
  objects = new Map<ObjectKey, ConfigObject>();
  treatment: Treatment = served;

  constructor(id: RegistryId, precedence: number) {
    this.id = id;
    this.precedence = precedence;
  }
}

/** The shards of all registries. A registry's updates reach its own shard only. */
export class ShardStore {
  readonly #shards = new Map<RegistryId, Shard>();
  readonly #names: ServiceNames;
  /** Records under their canonical names. */
  readonly #named = new WeakMap<ServiceRecord, ServiceRecord>();
  #byPrecedence: readonly Shard[] = [];

  /** `names`: what the services of registries are called in the catalog. */
  constructor(names: ServiceNames = new ServiceNames([])) {
    this.#names = names;
  }

  /** Opens an empty shard. */
  add(id: RegistryId, precedence: number): void {
    this.#shards.set(id, new Shard(id, precedence));
    this.#sort();
  }

  /** Drops a shard with all that is in it. */
  drop(id: RegistryId, touched: Touched): void {
    atOnce(this.apply(id, { type: "snapshot", records: [] }, touched));
    this.#shards.delete(id);
    this.#sort();
  }

  /**
   * Applies an update in steps and notes the keys that it says something new about. What the shard holds changes within one of the steps, right
   * after `applying` was called, so that nobody sees half of an update; which keys that are, and how services are called in the catalog, follows in
   * further steps. Until these are over no delta may be made.
   */
  *apply(id: RegistryId, update: RegistryUpdate, touched: Touched, applying?: () => void): Steps<undefined> {
    const shard = this.#shards.get(id);
    if (shard === undefined) {
      applying?.();
      return undefined;
    }
    const records = yield* changed(shard.records, recordsIn(update), recordKey);
    const workloads = yield* changed(shard.workloads, workloadsIn(update), workloadKeyOf);
    const objects = yield* changed(shard.objects, objectsIn(update), objectKey);
    const hasEndpoints = yield* onlyEndpointsDiffer(records.changes);
    applying?.();
    shard.records = put(shard.records, records);
    shard.workloads = put(shard.workloads, workloads);
    shard.objects = put(shard.objects, objects);
    touched.hasEndpoints ||= hasEndpoints;
    const services = this.#names.isTrivial ? touched.services : new Set<ServiceKey>();
    yield* each(records.changes, ({ key }) => void services.add(key));
    yield* each(workloads.changes, ({ key }) => void touched.workloads.add(key));
    yield* each(objects.changes, ({ key }) => void touched.objects.add(key));
    if (this.#names.isTrivial) return undefined;
    for (const own of services) {
      for (const key of this.#names.update(id, own, shard.records.get(own)?.service)) touched.services.add(key);
      yield;
    }
    return undefined;
  }

  /** Has the catalog treat what a registry says in another way. Updates reach the shard all the same. */
  treat(id: RegistryId, treatment: Treatment, touched: Touched): void {
    const shard = this.#shards.get(id);
    if (shard === undefined || sameTreatment(shard.treatment, treatment)) return;
    shard.treatment = treatment;
    for (const own of shard.records.keys()) touched.services.add(this.canonicalKey(id, own));
    for (const key of shard.workloads.keys()) touched.workloads.add(key);
    for (const key of shard.objects.keys()) touched.objects.add(key);
  }

  /** All registries, highest precedence first. */
  ids(): readonly RegistryId[] {
    return this.#byPrecedence.map(({ id }) => id);
  }

  /** All that a registry says now. */
  contentOf(id: RegistryId): ShardContent {
    const shard = this.#shards.get(id);
    return {
      records: [...(shard?.records.values() ?? [])],
      workloads: [...(shard?.workloads.values() ?? [])],
      objects: [...(shard?.objects.values() ?? [])],
    };
  }

  /** What the registries say about a service, under its canonical name, highest precedence first. */
  recordsOf(key: ServiceKey): readonly ServiceRecord[] {
    const records: ServiceRecord[] = [];
    for (const shard of this.#byPrecedence) {
      if (shard.treatment.type === "withhold") continue;
      if (this.#names.isTrivial) {
        const record = shard.records.get(key);
        if (record !== undefined) records.push(record);
      } else {
        for (const own of this.#names.ownKeys(shard.id, key)) {
          const record = shard.records.get(own);
          if (record !== undefined) records.push(this.#underName(record, key));
        }
      }
    }
    return records;
  }

  /** What a registry's service is called in the catalog. */
  canonicalKey(id: RegistryId, own: ServiceKey): ServiceKey {
    return this.#names.nameOf(id, own)?.key ?? own;
  }

  /** The registry's own keys of all its records that are one service of the catalog. */
  ownKeys(id: RegistryId, key: ServiceKey): readonly ServiceKey[] {
    return this.#names.isTrivial ? [key] : this.#names.ownKeys(id, key);
  }

  /** The registries whose content expired and comes last, and since when. */
  expired(): ReadonlyMap<RegistryId, number> {
    return new Map(
      this.#byPrecedence.flatMap(({ id, treatment }): [RegistryId, number][] =>
        treatment.type === "deprioritise" ? [[id, treatment.since]] : [],
      ),
    );
  }

  /** The workload as the registry of highest precedence knows it. */
  workloadOf(key: WorkloadKey): Workload | undefined {
    for (const shard of this.#byPrecedence) {
      const workload = shard.treatment.type === "withhold" ? undefined : shard.workloads.get(key);
      if (workload !== undefined) return workload;
    }
    return undefined;
  }

  /** The object as the registry of highest precedence knows it. */
  objectOf(key: ObjectKey): ConfigObject | undefined {
    for (const shard of this.#byPrecedence) {
      const object = shard.treatment.type === "withhold" ? undefined : shard.objects.get(key);
      if (object !== undefined) return object;
    }
    return undefined;
  }

  /** Whose each virtual address is, in the canonical form of the model. Walks all services: for those who ask, not for every change. */
  virtualAddresses(): ReadonlyMap<string, ServiceKey> {
    const found = new Map<string, ServiceKey>();
    for (const shard of this.#byPrecedence)
      for (const [own, { service }] of shard.records)
        for (const address of service.addresses) {
          const ip = canonicalIp(address);
          if (!found.has(ip)) found.set(ip, this.canonicalKey(shard.id, own));
        }
    return found;
  }

  /** What one registry's shard holds, by key. */
  lastGood(id: RegistryId): LastGood {
    return {
      record: (key) => this.#shards.get(id)?.records.get(key),
      workload: (key) => this.#shards.get(id)?.workloads.get(key),
      object: (key) => this.#shards.get(id)?.objects.get(key),
    };
  }

  /** How many of these keys one registry says something about. */
  countIn(id: RegistryId, keys: Touched): number {
    const shard = this.#shards.get(id);
    if (shard === undefined) return 0;
    let count = 0;
    for (const key of keys.services) for (const own of this.ownKeys(id, key)) if (shard.records.has(own)) count++;
    for (const key of keys.workloads) if (shard.workloads.has(key)) count++;
    for (const key of keys.objects) if (shard.objects.has(key)) count++;
    return count;
  }

  /** How many services one registry contributes. */
  servicesIn(id: RegistryId): number {
    const shard = this.#shards.get(id);
    return shard === undefined || shard.treatment.type === "withhold" ? 0 : shard.records.size;
  }

  /** The same record for the same name each time, so that who compares by identity finds nothing new. */
  #underName(record: ServiceRecord, key: ServiceKey): ServiceRecord {
    if (serviceKey(record.service) === key) return record;
    const known = this.#named.get(record);
    if (known !== undefined && serviceKey(known.service) === key) return known;
    const slash = key.indexOf("/");
    const service = { ...record.service, namespace: key.slice(0, slash), hostname: key.slice(slash + 1) };
    const named = deepFreeze({ ...record, service });
    this.#named.set(record, named);
    return named;
  }

  #sort(): void {
    this.#byPrecedence = [...this.#shards.values()].sort(
      (a, b) => a.precedence - b.precedence || byCodeUnit(a.id, b.id),
    );
  }
}

/** What an update says of one kind: all that there is, or what is other than before. */
type Said<K, V> = { readonly whole: readonly V[] } | Delta<K, V>;

function recordsIn(update: RegistryUpdate): Said<ServiceKey, ServiceRecord> {
  return update.type === "snapshot" ? { whole: update.records } : (update.records ?? unchanged);
}

function workloadsIn(update: RegistryUpdate): Said<WorkloadKey, Workload> {
  return update.type === "snapshot" ? { whole: update.workloads ?? [] } : (update.workloads ?? unchanged);
}

function objectsIn(update: RegistryUpdate): Said<ObjectKey, ConfigObject> {
  return update.type === "snapshot" ? { whole: update.objects ?? [] } : (update.objects ?? unchanged);
}

const unchanged: Delta<never, never> = Object.freeze({ upserted: [], removed: [] });

function recordKey(record: ServiceRecord): ServiceKey {
  return serviceKey(record.service);
}

function workloadKeyOf({ key }: Workload): WorkloadKey {
  return key;
}

/** One change of a map. */
interface Change<K, V> {
  readonly key: K;
  readonly before: V | undefined;
  /** Absent: it goes. */
  readonly value: V | undefined;
}

/** What is to be changed in a map, in the order in which it is done. */
interface Changes<K, V> {
  readonly changes: readonly Change<K, V>[];
  /** What was said, where the map had nothing before: it can take the place of the map, which costs less than to fill that. */
  readonly first: Map<K, V> | undefined;
}

/** So many values are looked at in one step: each is a few microseconds. */
const valuesPerStep = 64;

/** Data is frozen, so the same object is the same content. */
function* changed<K, V>(map: ReadonlyMap<K, V>, said: Said<K, V>, keyOf: (value: V) => K): Steps<Changes<K, V>> {
  const isFirst = map.size === 0;
  let looked = 0;
  const changes: Change<K, V>[] = [];
  const next = new Map<K, V>();
  const gone = "whole" in said ? map.keys() : said.removed;
  for (const value of "whole" in said ? said.whole : said.upserted) {
    next.set(keyOf(value), value);
    if (++looked % valuesPerStep === 0) yield;
  }
  for (const key of gone) {
    if (++looked % valuesPerStep === 0) yield;
    const before = map.get(key);
    if (before !== undefined && !next.has(key)) changes.push({ key, before, value: undefined });
  }
  for (const [key, value] of next) {
    if (++looked % valuesPerStep === 0) yield;
    const before = map.get(key);
    if (before !== value) changes.push({ key, before, value });
  }
  return { changes, first: isFirst ? next : undefined };
}

/** The map with all changes. */
function put<K, V>(map: Map<K, V>, { changes, first }: Changes<K, V>): Map<K, V> {
  if (map.size === 0 && first !== undefined) return first;
  for (const { key, value } of changes) {
    if (value === undefined) map.delete(key);
    else map.set(key, value);
  }
  return map;
}

/** Whether of some service only endpoints may be other than before. */
function* onlyEndpointsDiffer(records: readonly Change<ServiceKey, ServiceRecord>[]): Steps<boolean> {
  let looked = 0;
  for (const { before, value } of records) {
    if (++looked % valuesPerStep === 0) yield;
    if (before !== undefined && value !== undefined && differInEndpoints(before, value)) return true;
  }
  return false;
}

/**
 * Whether two records are of the same service, so that only endpoints can differ. Endpoints of other resolutions than `STATIC` are part of
 * clusters, listeners or routes.
 */
function differInEndpoints(before: ServiceRecord, after: ServiceRecord): boolean {
  return after.service.resolution === "STATIC" && isDeepStrictEqual(before.service, after.service);
}
