import type { MergeRule } from "../merge-rule.ts";
import { eligibility } from "./eligible.ts";
import type { Endpoint } from "./gather.ts";
import { positive, splitWeights } from "./split-weights.ts";
import type { Member } from "./split-weights.ts";
import type { Standing } from "./standing.ts";

/** What a split makes of endpoints. */
export interface SplitEndpoints {
  /** In the order of the endpoints. */
  readonly weights: readonly number[];
  /** See `MergeResult`. */
  readonly unserved: ReadonlyMap<string, number>;
}

/** Splits the traffic of each service port, and of each priority in it, because only endpoints of one priority share traffic. */
export function splitEndpoints(
  rule: MergeRule & { readonly type: "split" },
  servicePorts: readonly string[],
  endpoints: readonly Endpoint[],
  standings: readonly Standing[],
): SplitEndpoints {
  const shares = rule.shares.map((share) => positive(share.weight));
  const weights = endpoints.map(() => 0);
  const unserved = new Map<string, number>();
  for (const servicePort of servicePorts) {
    let served = false;
    for (const places of byPriority(servicePort, endpoints, standings)) {
      const members = membersAt(places, endpoints, shares);
      for (const [at, weight] of splitWeights(members, shares).entries()) weights[places[at] ?? 0] = weight;
      if (served || rule.onEmpty === "spill") continue;
      const part = missingPart(members, shares);
      // Later priorities only get what this one cannot take.
      served = part < 1;
      if (served && part > 0) unserved.set(servicePort, part);
    }
  }
  return { weights, unserved };
}

/** The places of a port's endpoints in the list, for each priority, lowest first. */
function byPriority(
  servicePort: string,
  endpoints: readonly Endpoint[],
  standings: readonly Standing[],
): readonly (readonly number[])[] {
  const places = new Map<number, number[]>();
  for (const [at, endpoint] of endpoints.entries()) {
    if (endpoint.servicePort !== servicePort) continue;
    const priority = standings[at]?.priority ?? 0;
    const known = places.get(priority);
    if (known === undefined) places.set(priority, [at]);
    else known.push(at);
  }
  return [...places].sort(([a], [b]) => a - b).map(([, each]) => each);
}

/** Fully eligible endpoints take the traffic; where no group with a share has one, those that can fall back. */
function membersAt(
  places: readonly number[],
  endpoints: readonly Endpoint[],
  shares: readonly number[],
): readonly Member[] {
  const found = places.flatMap((place) => {
    const endpoint = endpoints[place];
    if (endpoint === undefined) return [];
    const { instance } = endpoint.speaker;
    return [{ group: shares.length - 1 - endpoint.rank, weight: instance.weight, eligible: eligibility(instance) }];
  });
  const needed = found.some(({ eligible, group }) => eligible === "full" && (shares[group] ?? 0) > 0)
    ? "full"
    : "fallback";
  return found.map((member) => ({ ...member, eligible: member.eligible === needed }));
}

/** The part of the shares that no eligible endpoint stands for. */
function missingPart(members: readonly Member[], shares: readonly number[]): number {
  const present = new Set(members.filter(({ eligible, weight }) => eligible && weight > 0).map(({ group }) => group));
  const all = shares.reduce((total, share) => total + share, 0);
  const missing = shares.reduce((total, share, group) => (present.has(group) ? total : total + share), 0);
  return all > 0 ? missing / all : 0;
}
