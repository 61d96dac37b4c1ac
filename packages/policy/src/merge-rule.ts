import type { Pattern } from "./patterns.ts";

/** How what several registries say of one service becomes one entry. Registries are named by id or pattern, `eureka/*`. */
export type MergeRule =
  /** Every endpoint that any registry knows. */
  | { readonly type: "union" }
  /** The endpoints of the first registry of the list that has eligible ones; registries not in the list come last, together. */
  | { readonly type: "prefer"; readonly order: readonly Pattern[] }
  /** All, but each group of the list only takes what the ones before it cannot: Envoy's priorities 0, 1, … */
  | { readonly type: "failover"; readonly order: readonly Pattern[] }
  /** Each group takes its share of the traffic, whatever the number of its endpoints. */
  | { readonly type: "split"; readonly shares: readonly Share[]; readonly onEmpty: "spill" | "blackhole" }
  /** Only what one registry says; the others are shown beside it and take no traffic. */
  | { readonly type: "authoritative"; readonly registry: Pattern };

/** One group of a split. `weight` is its part of the sum of all weights, at least 0, not necessarily an integer. */
export interface Share {
  readonly registry: Pattern;
  readonly weight: number;
}
