import { byCodeUnit, precedence } from "@signalbox/model";
import type { RouteClaim } from "./route-claim.ts";

/** A domain in the form that compares, and the keys that want it. */
export type Claimants = readonly [domain: string, keys: readonly string[]];

/**
 * The domains that each key wants and does not get: of several claims on a domain one by full name wins over derived ones, then that of the
 * older service, then that of the smaller port.
 */
export function lostDomains(
  wished: Iterable<Claimants>,
  claimAt: (key: string) => RouteClaim | undefined,
): ReadonlyMap<string, ReadonlySet<string>> {
  const lost = new Map<string, Set<string>>();
  for (const [domain, keys] of wished) {
    if (keys.length < 2) continue;
    const [, ...others] = keys
      .flatMap((key) => {
        const claim = claimAt(key);
        return claim === undefined ? [] : [{ key, claim, derived: !isFull(claim, domain) }];
      })
      .sort(
        (a, b) =>
          Number(a.derived) - Number(b.derived) ||
          precedence(a.claim.parts.service, b.claim.parts.service) ||
          a.claim.port.number - b.claim.port.number ||
          byCodeUnit(a.key, b.key),
      );
    for (const { key } of others) lost.set(key, (lost.get(key) ?? new Set()).add(domain));
  }
  return lost;
}

function isFull({ full }: RouteClaim, domain: string): boolean {
  return full.some((one) => one.toLowerCase() === domain);
}
