import type { Cluster_CommonLbConfigSchema } from "@signalbox/envoy-api/envoy/config/cluster/v3/cluster";
import type { LoadBalancer } from "@signalbox/istio-objects";
import type { CatalogInstance, Labels, Locality } from "@signalbox/model";
import type { PortPolicy } from "@signalbox/traffic";
import { localityWeight, type LocalityGroup } from "../endpoints.ts";
import type { LocalityLb } from "../mesh.ts";
import type { Init } from "../messages.ts";

type ZoneAware = NonNullable<LoadBalancer["zoneAwareLbSetting"]>;

/** What holds of localities for one cluster: of the rule what it says, else the mesh's. */
export type LocalityRule =
  | { readonly kind: "none" }
  | { readonly kind: "zone-aware"; readonly setting: ZoneAware }
  | { readonly kind: "locality"; readonly setting: LocalityLb; readonly failover: boolean };

/** Where a client is. */
export interface Place {
  readonly locality: Locality;
  readonly labels: Labels;
}

/**
 * The rule in force. Zone-aware settings go before locality settings, the rule's before the mesh's. Failover needs outlier detection:
 * without it Envoy would never leave the first priority.
 */
export function localityRule(policy: PortPolicy | undefined, mesh: LocalityLb): LocalityRule {
  const zoneAware = policy?.loadBalancer?.zoneAwareLbSetting;
  if (zoneAware !== undefined) return { kind: "zone-aware", setting: zoneAware };
  const setting = policy?.loadBalancer?.localityLbSetting ?? mesh;
  if (setting.enabled === false) return { kind: "none" };
  return { kind: "locality", setting, failover: policy?.outlierDetection !== undefined };
}

/** What a cluster says of localities: their weights count only where a rule shares calls out by locality or orders them. */
export function localityConfig(rule: LocalityRule): Init<typeof Cluster_CommonLbConfigSchema> {
  switch (rule.kind) {
    case "none":
      return {};
    case "locality": {
      const { distribute, failover, failoverPriority } = rule.setting;
      const ordered = rule.failover && (failover.length > 0 || failoverPriority.length > 0);
      return distribute.length > 0 || ordered
        ? { localityConfigSpecifier: { case: "localityWeightedLbConfig", value: {} } }
        : {};
    }
    case "zone-aware": {
      const { enabled, minClusterSize } = rule.setting;
      return {
        localityConfigSpecifier: {
          case: "zoneAwareLbConfig",
          value: {
            ...(enabled === false ? { routingEnabled: { value: 0 } } : {}),
            ...(minClusterSize === undefined ? {} : { minClusterSize: BigInt(minClusterSize) }),
          },
        },
      };
    }
  }
}

/**
 * Endpoints as one client shall prefer them. Priorities come without gaps; those that the endpoints had before weigh more than all that
 * the rule says. With shares by locality, endpoints of localities without a share are left out.
 */
export function placed(groups: readonly LocalityGroup[], rule: LocalityRule, place: Place): readonly LocalityGroup[] {
  if (rule.kind === "none") return groups;
  if (rule.kind === "zone-aware") {
    const { enabled, failover, failoverPriority } = rule.setting;
    if (enabled === false) return groups;
    return byPriority(byLabels(groups, failoverPriority, place), 3, ({ locality }) =>
      regionRank(place.locality, locality, failover),
    );
  }
  const { distribute, failover, failoverPriority } = rule.setting;
  if (distribute.length > 0) return byShares(groups, distribute, place.locality);
  if (!rule.failover) return groups;
  const labelled = byLabels(groups, failoverPriority, place);
  if (failoverPriority.length > 0 && failover.length === 0) return labelled;
  return byPriority(labelled, 5, ({ locality }) => localityRank(place.locality, locality, failover));
}

/** The locality that a text such as `region/zone/*` means matches another one. Parts that are left out match all. */
export function localityMatches(locality: Locality, pattern: string): boolean {
  const [region = "", zone = "", subzone = ""] = pattern.split("/");
  return (
    (region === "*" || region === locality.region) &&
    (zone === "*" || zone === "" || zone === locality.zone) &&
    (subzone === "*" || subzone === "" || subzone === locality.subzone)
  );
}

function byShares(
  groups: readonly LocalityGroup[],
  distribute: LocalityLb["distribute"],
  from: Locality,
): readonly LocalityGroup[] {
  const rule = distribute.find((one) => localityMatches(from, one.from));
  if (rule === undefined) return groups;
  const shared = new Map<LocalityGroup, LocalityGroup>();
  for (const [pattern, share] of Object.entries(rule.to).sort(bySpecificity)) {
    const matching = groups.filter((group) => !shared.has(group) && localityMatches(group.locality, pattern));
    for (const group of matching) {
      const total = matching
        .filter(({ priority }) => priority === group.priority)
        .reduce((sum, { instances }) => sum + localityWeight(instances), 0);
      // A locality matches one pattern only. With a share of 0 Istio leaves it the weight that it had.
      const weight = Math.ceil((localityWeight(group.instances) * share) / total);
      shared.set(group, share > 0 ? { ...group, weight } : group);
    }
  }
  return contiguous(groups.flatMap((group) => shared.get(group) ?? []));
}

/** Where patterns overlap Istio's choice is by chance; here it is the one that says more, then the first by name. */
function bySpecificity([a]: readonly [string, number], [b]: readonly [string, number]): number {
  const parts = (pattern: string) => pattern.split("/").filter((part) => part !== "*" && part !== "").length;
  return parts(b) - parts(a) || (a < b ? -1 : 1);
}

/** Endpoints that agree with the client in the first labels come first. A group is parted by how far they agree. */
function byLabels(groups: readonly LocalityGroup[], order: readonly string[], place: Place): readonly LocalityGroup[] {
  if (order.length === 0) return groups;
  const rules = order.map((text) => {
    const [key = "", value, ...more] = text.split("=");
    return { key, value: value === undefined || more.length > 0 ? clientLabel(place, key) : value };
  });
  const parted = groups.flatMap((group) => {
    const ranks = new Map<number, CatalogInstance[]>();
    for (const instance of group.instances) {
      const rank = labelRank(instance, rules);
      const same = ranks.get(rank);
      if (same === undefined) ranks.set(rank, [instance]);
      else same.push(instance);
    }
    return [...ranks].map(([rank, instances]) => ({
      ...group,
      instances,
      priority: group.priority * (2 * rules.length + 1) + rank,
    }));
  });
  return contiguous(parted);
}

const networkLabel = "topology.istio.io/network";

/** 0 where all labels agree. Another network, where it is the first of the order, comes after all others, in the order of the rest. */
function labelRank(
  instance: CatalogInstance,
  rules: readonly { readonly key: string; readonly value: string }[],
): number {
  let network = 0;
  for (const [at, { key, value }] of rules.entries()) {
    if (endpointLabel(instance, key) === value) continue;
    if (at > 0 || key !== networkLabel) return network + rules.length - at;
    network = rules.length;
  }
  return network;
}

/** Istio labels workloads with where they are. */
function endpointLabel({ labels, locality, network }: CatalogInstance, key: string): string {
  return ownLabel(labels, key) ?? (key === networkLabel ? network : placeLabel(locality, key));
}

function clientLabel({ labels, locality }: Place, key: string): string {
  return ownLabel(labels, key) ?? placeLabel(locality, key);
}

function ownLabel(labels: Labels, key: string): string | undefined {
  return Object.hasOwn(labels, key) ? labels[key] : undefined;
}

function placeLabel({ region, subzone, zone }: Locality, key: string): string {
  switch (key) {
    case "topology.kubernetes.io/region":
      return region;
    case "topology.kubernetes.io/zone":
      return zone;
    case "topology.istio.io/subzone":
      return subzone;
    default:
      return "";
  }
}

/** 0 same place, 1 same zone, 2 same region, 3 elsewhere; where a failover names another region for the client's, 4 all others. */
function localityRank(client: Locality, endpoint: Locality, failover: LocalityLb["failover"]): number {
  if (client.region === endpoint.region) {
    if (client.zone !== endpoint.zone) return 2;
    return client.subzone === endpoint.subzone ? 0 : 1;
  }
  const rule = failover.find(({ from }) => from === client.region);
  return rule === undefined || rule.to === endpoint.region ? 3 : 4;
}

/** 0 same region, 1 the region to fail over to, 2 elsewhere. */
function regionRank(client: Locality, endpoint: Locality, failover: LocalityLb["failover"]): number {
  if (client.region === endpoint.region) return 0;
  return failover.find(({ from }) => from === client.region)?.to === endpoint.region ? 1 : 2;
}

function byPriority(
  groups: readonly LocalityGroup[],
  ranks: number,
  rank: (group: LocalityGroup) => number,
): readonly LocalityGroup[] {
  return contiguous(groups.map((group) => ({ ...group, priority: group.priority * ranks + rank(group) })));
}

/** The same order of priorities, counted from 0 without gaps; groups in that order, else as they came. */
function contiguous(groups: readonly LocalityGroup[]): readonly LocalityGroup[] {
  const priorities = [...new Set(groups.map(({ priority }) => priority))].sort((a, b) => a - b);
  return groups
    .map((group) => ({ ...group, priority: priorities.indexOf(group.priority) }))
    .sort((a, b) => a.priority - b.priority);
}
