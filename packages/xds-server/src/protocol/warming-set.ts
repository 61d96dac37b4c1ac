import { each, type Steps } from "@signalbox/slices";
import { endpointNameOf } from "../references.ts";
import type { Resource } from "../resource.ts";

/**
 * The endpoints that a list of clusters makes a client wait for, all of them. Streams that are sent the same list share
 * it, and what is found out about it.
 */
export class WarmingSet {
  readonly clusters: readonly Resource[];
  /** Names of the endpoints. */
  readonly names: ReadonlySet<string>;
  readonly #sentIn = new WeakMap<readonly Resource[], boolean>();
  readonly #askedBy = new WeakMap<ReadonlySet<string>, boolean>();

  constructor(clusters: readonly Resource[], names: ReadonlySet<string>) {
    this.clusters = clusters;
    this.names = names;
  }

  /** Whether all of them are among these endpoints, each of which has another name. */
  *isIn(endpoints: readonly Resource[]): Steps<boolean> {
    const known = this.#sentIn.get(endpoints);
    if (known !== undefined) return known;
    let found = 0;
    yield* each(endpoints, ({ name }) => {
      if (this.names.has(name)) found++;
    });
    const all = found === this.names.size;
    this.#sentIn.set(endpoints, all);
    return all;
  }

  /** Whether all of them are among these names, which do not change any more. */
  *isAsked(names: ReadonlySet<string>): Steps<boolean> {
    const known = this.#askedBy.get(names);
    if (known !== undefined) return known;
    let missing = Math.max(0, this.names.size - names.size);
    if (missing === 0) {
      yield* each(this.names, (name) => {
        if (!names.has(name)) missing++;
      });
    }
    this.#askedBy.set(names, missing === 0);
    return missing === 0;
  }
}

const sets = new WeakMap<readonly Resource[], WarmingSet>();

/** The set of a list of clusters that does not change any more; the same object for the same list. */
export function* warmingSetOf(clusters: readonly Resource[]): Steps<WarmingSet> {
  const known = sets.get(clusters);
  if (known !== undefined) return known;
  const names = new Set<string>();
  yield* each(clusters, (cluster) => {
    const name = endpointNameOf(cluster);
    if (name !== undefined) names.add(name);
  });
  // Somebody else may have made it between the steps.
  const set = sets.get(clusters) ?? new WarmingSet(clusters, names);
  sets.set(clusters, set);
  return set;
}
