import { objectKey } from "@signalbox/model";
import type {
  Catalog,
  CatalogDelta,
  CatalogEntry,
  ConfigObject,
  Delta,
  ObjectKey,
  Revision,
  ServiceKey,
  Workload,
  WorkloadKey,
} from "@signalbox/model";
import type { ChangeEvent } from "./event.ts";

/** Thrown when a delta does not follow the catalog it is folded into: something was missed, and a new snapshot is needed. */
export class GapError extends Error {
  readonly code = "SBX_BUS_GAP";
  /** The revision that the consumer has; absent where it has none. */
  readonly have: Revision | undefined;
  /** The revision that the delta follows. */
  readonly previous: Revision;

  constructor(have: Revision | undefined, previous: Revision) {
    super(
      `a delta follows ${revisionText(previous)}, but the catalog is at ${have ? revisionText(have) : "no revision"}`,
    );
    this.name = "GapError";
    this.have = have;
    this.previous = previous;
  }
}

/**
 * The catalog after an event. Pure: it copies the three maps, so the given catalog stays as it is; who folds many deltas
 * into a large catalog takes a `CatalogFold`. Throws a GapError when a delta does not follow the catalog.
 */
export function foldEvent(catalog: Catalog | undefined, event: ChangeEvent): Catalog {
  if (event.type === "snapshot") return event.catalog;
  if (catalog === undefined || !sameRevision(catalog.revision, event.previous)) {
    throw new GapError(catalog?.revision, event.previous);
  }
  const fold = new CatalogFold(catalog);
  fold.apply(event.delta);
  return fold.catalog(event.revision);
}

/** Whether two revisions are the same. */
export function sameRevision(a: Revision, b: Revision): boolean {
  return a.epoch === b.epoch && a.sequence === b.sequence;
}

/**
 * A catalog that deltas are applied to in place: the cost of `apply` is that of the change, not of the catalog. The maps
 * it shows are live; `catalog` gives a copy that stays.
 */
export class CatalogFold {
  readonly #entries: Map<ServiceKey, CatalogEntry>;
  readonly #workloads: Map<WorkloadKey, Workload>;
  readonly #objects: Map<ObjectKey, ConfigObject>;
  #copy: Catalog | undefined;

  /** Starts from a copy of `content`, or from nothing. */
  constructor(content?: Omit<Catalog, "revision">) {
    this.#entries = new Map(content?.entries);
    this.#workloads = new Map(content?.workloads);
    this.#objects = new Map(content?.objects);
  }

  get entries(): ReadonlyMap<ServiceKey, CatalogEntry> {
    return this.#entries;
  }

  get workloads(): ReadonlyMap<WorkloadKey, Workload> {
    return this.#workloads;
  }

  get objects(): ReadonlyMap<ObjectKey, ConfigObject> {
    return this.#objects;
  }

  /** How many keys it holds. */
  get size(): number {
    return this.#entries.size + this.#workloads.size + this.#objects.size;
  }

  /** Applies one delta. */
  apply(delta: CatalogDelta): void {
    this.#copy = undefined;
    applyTo(this.#entries, delta.entries, (entry) => entry.key);
    applyTo(this.#workloads, delta.workloads, (workload) => workload.key);
    applyTo(this.#objects, delta.objects, objectKey);
  }

  /** The catalog as it is now, as a copy; calls between two changes share one copy. */
  catalog(revision: Revision): Catalog {
    if (this.#copy === undefined || !sameRevision(this.#copy.revision, revision)) {
      this.#copy = Object.freeze({
        revision: Object.freeze({ ...revision }),
        entries: new Map(this.#entries),
        workloads: new Map(this.#workloads),
        objects: new Map(this.#objects),
      });
    }
    return this.#copy;
  }
}

function applyTo<K, V>(map: Map<K, V>, delta: Delta<K, V>, keyOf: (value: V) => K): void {
  for (const key of delta.removed) map.delete(key);
  for (const value of delta.upserted) map.set(keyOf(value), value);
}

function revisionText(revision: Revision): string {
  return `${revision.epoch}/${revision.sequence}`;
}
