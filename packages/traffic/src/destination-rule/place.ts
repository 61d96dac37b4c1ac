import type { LoadBalancer, TrafficPolicy } from "@signalbox/istio-objects";
import { byCodeUnit, type Labels, type Locality } from "@signalbox/model";
import type { Client } from "../client.ts";
import type { DestinationPolicy, PortPolicy } from "../host-rules.ts";
import { portPolicy } from "./port-policy.ts";

/** What the mesh says of locality load balancing where a DestinationRule says nothing; undefined is Istio's default, which is on. */
export type LocalityDefault = LoadBalancer["localityLbSetting"];

/** What a policy asks of where its client is. */
export interface PlaceNeed {
  readonly locality: boolean;
  /** Keys of the client's labels that order failover, sorted. */
  readonly labels: readonly string[];
}

type Says = Pick<DestinationPolicy, "trafficPolicy" | "subsets">;

/** What of a client's place decides what these rules give it, for any of their ports and subsets. */
export function placeNeed(says: Says, mesh: LocalityDefault): PlaceNeed {
  const ports = new Set([0]);
  for (const policy of policiesOf(says)) for (const { port } of policy.portLevelSettings) ports.add(port?.number ?? 0);
  const needs = [...ports].flatMap((port) =>
    ["", ...says.subsets.map(({ name }) => name)].map((subset) => needOf(portPolicy(says, port, subset), mesh)),
  );
  return together(needs);
}

/** What of a client's place may matter, whatever other rules of the host say besides: `placeNeed` of any merger asks for no more. */
export function possiblePlaceNeed(says: Says, mesh: LocalityDefault): PlaceNeed {
  const parts = policiesOf(says).flatMap((policy) => [policy, ...policy.portLevelSettings]);
  return together(
    parts.flatMap(({ loadBalancer, outlierDetection }) => {
      const ejecting = outlierDetection === undefined ? [] : [settingNeed(mesh, true)];
      return loadBalancer === undefined ? ejecting : [...ejecting, balancerNeed(loadBalancer, mesh, true)];
    }),
  );
}

/** What of a client's place a need names. */
export function placeOf(
  client: Client,
  need: PlaceNeed,
): { readonly locality: Locality | undefined; readonly labels: Labels | undefined } {
  const labels = need.labels.flatMap((key) => {
    const value = Object.hasOwn(client.labels, key) ? client.labels[key] : undefined;
    return value === undefined ? [] : [[key, value] as const];
  });
  return {
    locality: need.locality ? client.locality : undefined,
    labels: need.labels.length > 0 ? Object.fromEntries(labels) : undefined,
  };
}

/** All that is needed by one or the other. */
export function together(needs: readonly PlaceNeed[]): PlaceNeed {
  return {
    locality: needs.some(({ locality }) => locality),
    labels: [...new Set(needs.flatMap(({ labels }) => labels))].sort(byCodeUnit),
  };
}

function policiesOf({ trafficPolicy, subsets }: Says): readonly TrafficPolicy[] {
  return [trafficPolicy, ...subsets.map((subset) => subset.trafficPolicy)].filter((policy) => policy !== undefined);
}

function needOf(policy: PortPolicy | undefined, mesh: LocalityDefault): PlaceNeed {
  const ejecting = policy?.outlierDetection !== undefined;
  return balancerNeed(policy?.loadBalancer, mesh, ejecting);
}

/** Istio's order: zone-aware settings of the rule, locality settings of the rule, the mesh's. */
function balancerNeed(balancer: LoadBalancer | undefined, mesh: LocalityDefault, ejecting: boolean): PlaceNeed {
  const zoneAware = balancer?.zoneAwareLbSetting;
  if (zoneAware !== undefined) {
    return zoneAware.enabled === false
      ? together([])
      : { locality: true, labels: labelKeys(zoneAware.failoverPriority) };
  }
  return settingNeed(balancer?.localityLbSetting ?? mesh, ejecting);
}

/** Shares by locality always look at the place; failover does where endpoints can be ejected. */
function settingNeed(setting: LocalityDefault, ejecting: boolean): PlaceNeed {
  if (setting?.enabled === false) return together([]);
  if (setting !== undefined && setting.distribute.length > 0) return { locality: true, labels: [] };
  return ejecting ? { locality: true, labels: labelKeys(setting?.failoverPriority ?? []) } : together([]);
}

/** Of `key` and `key=value`, the keys whose value is the client's. */
function labelKeys(failoverPriority: readonly string[]): readonly string[] {
  return failoverPriority.filter((one) => !one.includes("="));
}
