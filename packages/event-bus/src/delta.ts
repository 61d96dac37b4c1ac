import { byCodeUnit, objectKey } from "@signalbox/model";
import type { CatalogDelta, CatalogEntry, ConfigObject, Delta, ObjectKey, ServiceKey } from "@signalbox/model";
import type { Workload, WorkloadKey } from "@signalbox/model";

/** Whether a delta changes nothing. */
export function isEmptyDelta(delta: CatalogDelta): boolean {
  return isEmpty(delta.entries) && isEmpty(delta.workloads) && isEmpty(delta.objects);
}

/** How many keys a sorted delta says something about. */
export function deltaSize({ entries, objects, workloads }: CatalogDelta): number {
  return [entries, workloads, objects].reduce(
    (sum, { removed, upserted }) => sum + upserted.length + removed.length,
    0,
  );
}

/** The delta as `PendingDelta` gives it: each key at most once, and lists sorted by key. Itself where it is so already, as nearly always. */
export function inSortedForm(delta: CatalogDelta): CatalogDelta {
  const { entries, objects, workloads } = delta;
  const isSorted =
    isSortedBy(entries, (entry) => entry.key) &&
    isSortedBy(workloads, (workload) => workload.key) &&
    isSortedBy(objects, objectKey);
  if (isSorted) return delta;
  const pending = new PendingDelta();
  pending.add(delta);
  return pending.toDelta();
}

/** One delta that changes what `a` and then `b` change. The newer statement about a key wins; lists come sorted by key. */
export function mergeDeltas(a: CatalogDelta, b: CatalogDelta): CatalogDelta {
  const pending = new PendingDelta();
  pending.add(a);
  pending.add(b);
  return pending.toDelta();
}

/** Deltas gathered into one, in time proportional to what is added. Newest wins per key, so its size is bounded by the keys touched. */
export class PendingDelta {
  readonly #entries = new Map<ServiceKey, CatalogEntry | undefined>();
  readonly #workloads = new Map<WorkloadKey, Workload | undefined>();
  readonly #objects = new Map<ObjectKey, ConfigObject | undefined>();

  /** How many keys it says something about. */
  get size(): number {
    return this.#entries.size + this.#workloads.size + this.#objects.size;
  }

  /** Adds a later delta. */
  add(delta: CatalogDelta): void {
    gather(this.#entries, delta.entries, (entry) => entry.key);
    gather(this.#workloads, delta.workloads, (workload) => workload.key);
    gather(this.#objects, delta.objects, objectKey);
  }

  /** The gathered delta, sorted by key. */
  toDelta(): CatalogDelta {
    return {
      entries: toSortedDelta(this.#entries),
      workloads: toSortedDelta(this.#workloads),
      objects: toSortedDelta(this.#objects),
    };
  }
}

function isEmpty<K, V>(delta: Delta<K, V>): boolean {
  return delta.upserted.length === 0 && delta.removed.length === 0;
}

function isSortedBy<K extends string, V>({ removed, upserted }: Delta<K, V>, keyOf: (value: V) => K): boolean {
  let at = 0;
  let before: K | undefined;
  for (const value of upserted) {
    const key = keyOf(value);
    if (before !== undefined && before >= key) return false;
    before = key;
    // No key is in both lists.
    for (let gone = removed[at]; gone !== undefined && gone <= key; gone = removed[++at])
      if (gone === key) return false;
  }
  return removed.every((key, index) => index === 0 || (removed[index - 1] ?? key) < key);
}

function gather<K, V>(changes: Map<K, V | undefined>, delta: Delta<K, V>, keyOf: (value: V) => K): void {
  for (const key of delta.removed) changes.set(key, undefined);
  for (const value of delta.upserted) changes.set(keyOf(value), value);
}

function toSortedDelta<K extends string, V>(changes: ReadonlyMap<K, V | undefined>): Delta<K, V> {
  const upserted: V[] = [];
  const removed: K[] = [];
  for (const [key, value] of [...changes].sort(([a], [b]) => byCodeUnit(a, b))) {
    if (value === undefined) removed.push(key);
    else upserted.push(value);
  }
  return { upserted, removed };
}
