import { instancesVersion } from "@signalbox/model";
import type { CatalogEntry, CatalogInstance, RegistryId } from "@signalbox/model";

/**
 * The entry with its expired endpoints behind all others: those that only expired registries know get a priority after
 * every one that the entry has, and a finding that says since when. Where a service port has no other endpoints, the priority changes
 * nothing for clients, who use the lowest that there is. `expired`: since when a registry is, in epoch milliseconds.
 *
 * A priority, and not a degraded health: proxies fall back to either in the same way, but proxyless gRPC clients leave degraded
 * endpoints out, and what a source said of the health of its endpoints stays to be seen.
 */
export function expiredLast(entry: CatalogEntry, expired: ReadonlyMap<RegistryId, number>): CatalogEntry {
  if (!entry.registries.some((registry) => expired.has(registry))) return entry;
  const last = entry.instances.reduce((highest, { priority }) => Math.max(highest, priority), 0) + 1;
  const instances = entry.instances.map((instance): CatalogInstance => {
    const since = expiredSince(instance, expired);
    if (since === undefined) return instance;
    const finding = { stage: "freshness", code: "EXPIRED", since };
    return { ...instance, priority: last + instance.priority, findings: [...instance.findings, finding] };
  });
  return { ...entry, instances, versions: { ...entry.versions, instances: instancesVersion(instances) } };
}

/** When the last of the registries expired that know an endpoint; undefined where one of them did not. */
function expiredSince({ provenance }: CatalogInstance, expired: ReadonlyMap<RegistryId, number>): number | undefined {
  let latest = Number.NEGATIVE_INFINITY;
  for (const { registry } of provenance) {
    const since = expired.get(registry);
    if (since === undefined) return undefined;
    latest = Math.max(latest, since);
  }
  return latest;
}
