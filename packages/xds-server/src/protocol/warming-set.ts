import { endpointNameOf } from "../references.ts";
import type { Resource } from "../resource.ts";
import type { SharedNames } from "./names.ts";

/**
 * The endpoints that a list of clusters makes a client wait for, all of them. Streams that are sent the same list share
 * it, and what is found out about it.
 */
export class WarmingSet {
  readonly clusters: readonly Resource[];
  /** Names of the endpoints. */
  readonly names: ReadonlySet<string>;
  readonly #sentIn = new WeakMap<readonly Resource[], boolean>();
  readonly #askedBy = new WeakMap<SharedNames, boolean>();

  constructor(clusters: readonly Resource[]) {
    this.clusters = clusters;
    this.names = new Set(clusters.flatMap((cluster) => endpointNameOf(cluster) ?? []));
  }

  /** Whether all of them are among these endpoints. */
  isIn(endpoints: readonly Resource[]): boolean {
    let known = this.#sentIn.get(endpoints);
    if (known === undefined) {
      const sent = new Set(endpoints.map(({ name }) => name));
      known = every(this.names, sent);
      this.#sentIn.set(endpoints, known);
    }
    return known;
  }

  /** Whether all of them are among these names. */
  isAsked(shared: SharedNames): boolean {
    let known = this.#askedBy.get(shared);
    if (known === undefined) {
      known = every(this.names, shared.names);
      this.#askedBy.set(shared, known);
    }
    return known;
  }
}

function every(names: ReadonlySet<string>, among: ReadonlySet<string>): boolean {
  if (names.size > among.size) return false;
  for (const name of names) if (!among.has(name)) return false;
  return true;
}

const sets = new WeakMap<readonly Resource[], WarmingSet>();

/** The set of a list of clusters that does not change any more; the same object for the same list. */
export function warmingSetOf(clusters: readonly Resource[]): WarmingSet {
  let set = sets.get(clusters);
  if (set === undefined) {
    set = new WarmingSet(clusters);
    sets.set(clusters, set);
  }
  return set;
}
