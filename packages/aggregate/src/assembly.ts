import { contentHash, deepFreeze, serviceKey, serviceVersion } from "@signalbox/model";
import type {
  Catalog,
  CatalogDelta,
  CatalogEntry,
  CatalogInstance,
  ConfigObject,
  ObjectKey,
  Provenance,
  RegistryId,
  ServiceKey,
  ServiceRecord,
  Workload,
  WorkloadKey,
} from "@signalbox/model";
import type { CandidateRecord, ServiceNames } from "@signalbox/policy";
import type { Logger } from "@signalbox/registry";
import type { Steps } from "@signalbox/slices";
import type { MergePolicy } from "./options.ts";
import type { Ramps } from "./ramps.ts";
import { selects, selectWorkloads, workloadNamespace } from "./select-workloads.ts";
import { Touched } from "./shard.ts";
import type { ShardStore } from "./shard.ts";
import type { Stages } from "./stages.ts";
import { toError } from "./waiting.ts";

/** What an assembly works with. */
export interface AssemblyOptions {
  readonly shards: ShardStore;
  readonly names: ServiceNames;
  readonly stages: Stages;
  readonly ramps: Ramps;
  readonly merge: MergePolicy;
  readonly logger: Logger;
  /** Told when time alone changes a service; undefined: never. */
  readonly due: (key: ServiceKey, at: number | undefined) => void;
  /** Told what the stages before the merge left. */
  readonly staged: (key: ServiceKey, records: readonly CandidateRecord[]) => void;
}

/**
 * Makes deltas of touched keys: what the shards say now against what was published. Work follows the change: a touched
 * service costs one merge and one hash, a touched workload also the services of its namespace that select it.
 */
export class Assembly {
  readonly #options: AssemblyOptions;
  readonly #shards: ShardStore;
  readonly #workloads = new Map<string, Map<WorkloadKey, Workload>>();
  readonly #selecting = new Map<string, Set<ServiceKey>>();
  /** The keys of the catalog under which a service is known besides its own. */
  readonly #aliases = new Map<ServiceKey, readonly ServiceKey[]>();
  #touched = new Touched();
  #failed = new Touched();
  #said = new Map<string, string>();

  constructor(options: AssemblyOptions) {
    this.#options = options;
    this.#shards = options.shards;
  }

  /** Where those who change shards note the keys. */
  get touched(): Touched {
    return this.#touched;
  }

  /** Keys whose last merge failed. They are tried again with the next delta. */
  get failed(): Touched {
    return this.#failed;
  }

  /**
   * What changed since `published`, made in steps, one service in each; sorted by key. What is touched meanwhile is for the next delta. Nobody else may
   * change `published`, shards or names before the last step; rules, overrides and holds may change: who changes them touches the services again. `now` in epoch
   * milliseconds. Where a step throws, or `signal` aborted before the last one, which it then throws the reason of, all is touched as before.
   */
  *delta(published: Omit<Catalog, "revision">, now: number, signal?: AbortSignal): Steps<CatalogDelta> {
    const touched = this.#touched;
    this.#touched = new Touched();
    touched.add(this.#failed);
    let isMade = false;
    try {
      const delta = yield* this.#delta(touched, published, now, signal);
      isMade = true;
      return delta;
    } finally {
      if (!isMade) this.#touched.add(touched);
    }
  }

  *#delta(
    touched: Touched,
    published: Omit<Catalog, "revision">,
    now: number,
    signal: AbortSignal | undefined,
  ): Steps<CatalogDelta> {
    const failed = new Touched();
    const before = this.#said;
    this.#said = new Map();
    this.#failed = failed;
    const guard = <K extends string>(failures: Set<K>, key: K, work: () => void): void => {
      const error = attempt(work);
      if (error === undefined) return;
      failures.add(key);
      this.#said.set(key, error.message);
      // A merge that goes on failing is tried with each delta, but told once.
      if (before.get(key) !== error.message) this.#options.logger.error("catalog-update-failed", { key, error });
    };
    const delta: Draft = { entries: lists(), workloads: lists(), objects: lists() };
    for (const key of sorted(touched.workloads)) {
      guard(failed.workloads, key, () => this.#workload(key, published, delta, touched));
      yield;
      signal?.throwIfAborted();
    }
    // What is said of one service may change what is to be thought of another one at the same address.
    for (const key of [...touched.services]) {
      for (const other of this.#options.stages.see(key, this.recordsOf(key), now)) touched.services.add(other);
      yield;
      signal?.throwIfAborted();
    }
    const expired = this.#shards.expired();
    for (const key of sorted(touched.services)) {
      guard(failed.services, key, () => this.#service(key, expired, published, delta, now));
      yield;
      signal?.throwIfAborted();
    }
    for (const key of sorted(touched.objects)) {
      const current = this.#shards.objectOf(key);
      guard(failed.objects, key, () => note(delta.objects, key, published.objects.get(key), current, sameContent));
      yield;
      signal?.throwIfAborted();
    }
    return deepFreeze(delta);
  }

  /** Touches all keys of a delta again, because it was not published. */
  again(delta: CatalogDelta, keyOfObject: (object: ConfigObject) => ObjectKey): void {
    for (const key of delta.entries.removed) this.#touched.services.add(key);
    for (const entry of delta.entries.upserted) this.#touched.services.add(entry.key);
    for (const key of delta.workloads.removed) this.#touched.workloads.add(key);
    for (const workload of delta.workloads.upserted) this.#touched.workloads.add(workload.key);
    for (const key of delta.objects.removed) this.#touched.objects.add(key);
    for (const object of delta.objects.upserted) this.#touched.objects.add(keyOfObject(object));
  }

  #workload(key: WorkloadKey, published: Omit<Catalog, "revision">, delta: Draft, touched: Touched): void {
    const current = this.#shards.workloadOf(key);
    const namespace = workloadNamespace(key);
    const neighbours = within(this.#workloads, namespace, () => new Map<WorkloadKey, Workload>());
    const before = neighbours.get(key);
    if (current === undefined) neighbours.delete(key);
    else neighbours.set(key, current);
    if (neighbours.size === 0) this.#workloads.delete(namespace);
    for (const service of this.#selecting.get(namespace) ?? []) {
      const concerned = this.#shards
        .recordsOf(service)
        .some((record) => [before, current].some((one) => one !== undefined && selects(record.service, one)));
      if (concerned) touched.services.add(service);
    }
    note(delta.workloads, key, published.workloads.get(key), current, sameContent);
  }

  /** What the registries say about a service, with the workloads that it selects. */
  recordsOf(key: ServiceKey): readonly ServiceRecord[] {
    const records = this.#shards.recordsOf(key);
    const namespace = key.slice(0, key.indexOf("/"));
    const selecting = within(this.#selecting, namespace, () => new Set<ServiceKey>());
    if (records.some((record) => record.service.workloadSelector !== undefined)) selecting.add(key);
    else selecting.delete(key);
    if (selecting.size === 0) this.#selecting.delete(namespace);
    const workloads = selecting.has(key) ? this.#workloads.get(namespace) : undefined;
    return workloads ? records.map((record) => selectWorkloads(record, workloads.values())) : records;
  }

  #service(
    key: ServiceKey,
    expired: ReadonlyMap<RegistryId, number>,
    published: Omit<Catalog, "revision">,
    delta: Draft,
    now: number,
  ): void {
    const { merge, ramps, stages } = this.#options;
    const records = stages.candidates(key, this.recordsOf(key), expired, now);
    this.#options.staged(key, records);
    const { dueAt, rule } = ramps.take(key, records, now);
    const entry = merge({ key, records, rule, expired });
    this.#options.due(key, earlier(stages.dueAt(key), dueAt));
    note(delta.entries, key, published.entries.get(key), entry, sameEntry);
    this.#alias(key, entry, published, delta);
  }

  /** Puts the same entry under the other names of the service, but for those that are some service's own. */
  #alias(key: ServiceKey, entry: CatalogEntry | undefined, published: Omit<Catalog, "revision">, delta: Draft): void {
    const hostnames = entry === undefined ? [] : this.#options.names.aliasesOf(key);
    const namespace = key.slice(0, key.indexOf("/"));
    const aliases = hostnames
      .map((hostname) => ({ hostname, alias: serviceKey({ namespace, hostname }) }))
      .filter(({ alias }) => this.#shards.recordsOf(alias).length === 0);
    for (const old of this.#aliases.get(key) ?? [])
      if (!aliases.some(({ alias }) => alias === old) && this.#shards.recordsOf(old).length === 0)
        note(delta.entries, old, published.entries.get(old), undefined, sameEntry);
    if (aliases.length === 0) this.#aliases.delete(key);
    else
      this.#aliases.set(
        key,
        aliases.map(({ alias }) => alias),
      );
    if (entry === undefined) return;
    for (const { alias, hostname } of aliases) {
      // A virtual address belongs to one service.
      const service = { ...entry.service, hostname, addresses: [] };
      const versions = { ...entry.versions, service: serviceVersion(service) };
      note(delta.entries, alias, published.entries.get(alias), { ...entry, key: alias, service, versions }, sameEntry);
    }
  }
}

function earlier(one: number | undefined, other: number | undefined): number | undefined {
  return one === undefined || other === undefined ? (one ?? other) : Math.min(one, other);
}

// One bad thing must not stop the others; what was published of it stays.
function attempt(work: () => void): Error | undefined {
  try {
    work();
    return undefined;
  } catch (thrown) {
    return toError(thrown);
  }
}

interface Lists<K, V> {
  readonly upserted: V[];
  readonly removed: K[];
}

interface Draft {
  readonly entries: Lists<ServiceKey, CatalogEntry>;
  readonly workloads: Lists<WorkloadKey, Workload>;
  readonly objects: Lists<ObjectKey, ConfigObject>;
}

function lists<K, V>(): Lists<K, V> {
  return { upserted: [], removed: [] };
}

/** By code unit, which needs no comparison of our own and is several times as fast without one. */
function sorted<K extends string>(keys: ReadonlySet<K>): readonly K[] {
  return [...keys].sort();
}

function within<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  const known = map.get(key);
  if (known !== undefined) return known;
  const made = make();
  map.set(key, made);
  return made;
}

function note<K, V>(
  lists: Lists<K, V>,
  key: K,
  before: V | undefined,
  current: V | undefined,
  same: (a: V, b: V) => boolean,
): void {
  if (current === undefined) {
    if (before !== undefined) lists.removed.push(key);
  } else if (before === undefined || !same(before, current)) {
    // Here and not with the whole delta, so that it is part of the step.
    lists.upserted.push(deepFreeze(current));
  }
}

/** Equal content, said by the same sources. A source's own version may differ: a touched but unchanged object is silent. */
function sameEntry(a: CatalogEntry, b: CatalogEntry): boolean {
  return (
    a.versions.service === b.versions.service &&
    a.versions.instances === b.versions.instances &&
    sameList(a.registries, b.registries, (x, y) => x === y) &&
    sameSource(a.service.provenance, b.service.provenance) &&
    sameList(a.instances, b.instances, sameAccount)
  );
}

function sameAccount(a: CatalogInstance, b: CatalogInstance): boolean {
  return (
    sameList(a.provenance, b.provenance, sameSource) &&
    sameList(a.findings, b.findings, (x, y) => x.stage === y.stage && x.code === y.code && x.since === y.since)
  );
}

function sameSource(a: Provenance, b: Provenance): boolean {
  return a.registry === b.registry && a.object === b.object;
}

function sameList<T>(a: readonly T[], b: readonly T[], same: (a: T, b: T) => boolean): boolean {
  if (a.length !== b.length) return false;
  for (const [i, one] of a.entries()) {
    const other = b[i];
    if (other === undefined || !same(one, other)) return false;
  }
  return true;
}

function sameContent<T extends Workload | ConfigObject>(a: T, b: T): boolean {
  return a === b || (sameSource(a.provenance, b.provenance) && hashOf(a) === hashOf(b));
}

function hashOf({ provenance: _, ...content }: Workload | ConfigObject): string {
  return contentHash(content);
}
