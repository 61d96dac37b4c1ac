import type { RegistryId } from "@signalbox/model";
import { firstFit, fits } from "../patterns.ts";
import type { MergeRule } from "../merge-rule.ts";

/** How a rule sees the registries: each is in one group, and an endpoint that several know belongs to the group with the lowest number. */
export interface Grouping {
  readonly groupOf: (registry: RegistryId) => number;
  /** What becomes of what a group alone knows, whatever else is known: the reason code of its absence; undefined where it stays. */
  readonly absent: (group: number) => "NO_SHARE" | "SHADOW" | undefined;
}

const all: Grouping = { groupOf: () => 0, absent: () => undefined };

/**
 * The grouping that a rule makes. In lists the first fitting pattern counts. Of a `split` the later share comes first: shares are
 * written in the direction of the migration, `{old: 90, new: 10}`, and an endpoint that both know is one that has been migrated; so
 * it takes of the new group's share only.
 */
export function groupingOf(rule: MergeRule): Grouping {
  switch (rule.type) {
    case "union":
      return all;
    case "prefer":
    case "failover":
      return { groupOf: (registry) => placeIn(rule.order, registry), absent: () => undefined };
    case "split": {
      const count = rule.shares.length;
      const patterns = rule.shares.map((share) => share.registry);
      return {
        groupOf: (registry) => {
          const place = placeIn(patterns, registry);
          return place === count ? count : count - 1 - place;
        },
        absent: (group) => (group === count ? "NO_SHARE" : undefined),
      };
    }
    case "authoritative":
      return {
        groupOf: (registry) => (fits(rule.registry, registry) ? 0 : 1),
        absent: (group) => (group === 0 ? undefined : "SHADOW"),
      };
  }
}

/** The place of the first fitting pattern; one after the last where none fits. */
function placeIn(patterns: readonly string[], registry: RegistryId): number {
  const place = firstFit(patterns, registry);
  return place < 0 ? patterns.length : place;
}
