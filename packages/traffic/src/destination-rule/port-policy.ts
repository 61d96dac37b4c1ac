import type { Subset, TrafficPolicy } from "@signalbox/istio-objects";
import type { DestinationPolicy, PortPolicy } from "../host-rules.ts";

/**
 * What holds for a port of a host, or of one of its subsets (`subset` not empty), as Istio puts it together: settings of a port stand for
 * the host's connection settings as a whole, what they leave out has its default; a subset's settings replace the host's one by one, or,
 * where the subset has settings for this port, as a whole again. A tunnel is that of the host or of the subset alone, whatever their ports
 * say. Undefined where nothing is said.
 */
export function portPolicy(
  policy: Pick<DestinationPolicy, "trafficPolicy" | "subsets"> | undefined,
  port: number,
  subset: string,
): PortPolicy | undefined {
  if (policy === undefined) return undefined;
  const own = subset === "" ? undefined : subsetsOf(policy.subsets).get(subset);
  const together = merged(forPort(policy.trafficPolicy, port)?.policy, forPort(own?.trafficPolicy, port));
  if (together === undefined) return undefined;
  const { tunnel } = (subset === "" ? policy.trafficPolicy : own?.trafficPolicy) ?? {};
  return together.tunnel === tunnel ? together : { ...together, tunnel };
}

function merged(host: PortPolicy | undefined, narrow: ForPort | undefined): PortPolicy | undefined {
  if (narrow === undefined || host === undefined) return narrow?.policy ?? host;
  const { policy: over, ofPort } = narrow;
  const either = <T>(subsetSays: T, hostSays: T): T => (ofPort ? subsetSays : (subsetSays ?? hostSays));
  return {
    loadBalancer: either(over.loadBalancer, host.loadBalancer),
    connectionPool: either(over.connectionPool, host.connectionPool),
    outlierDetection: either(over.outlierDetection, host.outlierDetection),
    tls: either(over.tls, host.tls),
    tunnel: undefined,
    proxyProtocol: over.proxyProtocol ?? host.proxyProtocol,
    retryBudget: over.retryBudget ?? host.retryBudget,
  };
}

type PortSettings = TrafficPolicy["portLevelSettings"];

/** Rules are asked for each port and subset: what they list is found by its key, the first of each. */
const subsetsOf = indexed(({ name }: Subset) => name);
const settingsOf = indexed(({ port }: PortSettings[number]) => port?.number);

function indexed<K, T>(keyOf: (item: T) => K): (list: readonly T[]) => ReadonlyMap<K, T> {
  const indices = new WeakMap<readonly T[], ReadonlyMap<K, T>>();
  return (list) => {
    let index = indices.get(list);
    if (index === undefined) {
      index = new Map([...list].reverse().map((item) => [keyOf(item), item]));
      indices.set(list, index);
    }
    return index;
  };
}

interface ForPort {
  readonly policy: PortPolicy;
  /** Whether settings of the port itself are there. */
  readonly ofPort: boolean;
}

function forPort(policy: TrafficPolicy | undefined, port: number): ForPort | undefined {
  if (policy === undefined) return undefined;
  const { portLevelSettings, ...whole } = policy;
  const own = settingsOf(portLevelSettings).get(port);
  if (own === undefined) return { policy: whole, ofPort: false };
  const { loadBalancer, connectionPool, outlierDetection, tls } = own;
  const hostOnly = { tunnel: undefined, proxyProtocol: undefined, retryBudget: undefined };
  return { policy: { loadBalancer, connectionPool, outlierDetection, tls, ...hostOnly }, ofPort: true };
}
