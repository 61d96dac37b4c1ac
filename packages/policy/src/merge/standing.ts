import type { Provenance, RegistryId } from "@signalbox/model";
import type { MergeRule } from "../merge-rule.ts";
import type { Endpoint } from "./gather.ts";

/** How far behind others an endpoint stands. */
export interface Standing {
  /** 0 is first. */
  readonly priority: number;
  /** Set where only expired registries know it: when the last of them expired, in epoch milliseconds. */
  readonly expiredSince?: number;
}

/**
 * The standing of each endpoint: first by what stages said, then by its group under a `failover`. Those that only expired registries know
 * come after every one that the service has. Where a service port has no other endpoints, that changes nothing for clients, who use the
 * lowest that there is.
 *
 * A priority, and not a degraded health: proxies fall back to either in the same way, but proxyless gRPC clients leave degraded
 * endpoints out, and what a source said of the health of its endpoints stays to be seen.
 */
export function standings(
  endpoints: readonly Endpoint[],
  rule: MergeRule,
  expired: ReadonlyMap<RegistryId, number>,
): readonly Standing[] {
  const groups = rule.type === "failover" ? rule.order.length + 1 : 1;
  const fresh = endpoints.map(({ rank, speaker }) => ({
    priority: groups === 1 ? speaker.priority : speaker.priority * groups + rank,
  }));
  if (expired.size === 0) return fresh;
  const last = fresh.reduce((highest, { priority }) => Math.max(highest, priority), 0) + 1;
  return fresh.map((standing, at): Standing => {
    const since = expiredSince(endpoints[at]?.provenance ?? [], expired);
    return since === undefined ? standing : { priority: last + standing.priority, expiredSince: since };
  });
}

/** When the last of the registries expired that know an endpoint; undefined where one of them did not. */
function expiredSince(provenance: readonly Provenance[], expired: ReadonlyMap<RegistryId, number>): number | undefined {
  let latest = Number.NEGATIVE_INFINITY;
  for (const { registry } of provenance) {
    const since = expired.get(registry);
    if (since === undefined) return undefined;
    latest = Math.max(latest, since);
  }
  return latest;
}
