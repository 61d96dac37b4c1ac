import type { TrafficPolicy } from "@signalbox/istio-objects";
import type { DestinationPolicy, PortPolicy } from "@signalbox/traffic";

const nothing = { tunnel: undefined, proxyProtocol: undefined, retryBudget: undefined } as const;

/**
 * What holds for one port of a host, or of one of its subsets (`subset` not empty). Istio's rule: settings of a port replace those of
 * its level as a whole; a subset's members replace the host's one by one, unless they are a port's, which replace them all.
 */
export function portPolicy(
  policy: Pick<DestinationPolicy, "trafficPolicy" | "subsets">,
  port: number,
  subset: string,
): PortPolicy | undefined {
  const host = atPort(policy.trafficPolicy, port)?.policy;
  const found = subset === "" ? undefined : policy.subsets.find(({ name }) => name === subset);
  const own = atPort(found?.trafficPolicy, port);
  if (own === undefined || host === undefined) return own?.policy ?? host;
  const { policy: above } = own;
  const base = own.whole ? { ...host, ...emptyPool } : host;
  return {
    loadBalancer: above.loadBalancer ?? base.loadBalancer,
    connectionPool: above.connectionPool ?? base.connectionPool,
    outlierDetection: above.outlierDetection ?? base.outlierDetection,
    tls: above.tls ?? base.tls,
    tunnel: above.tunnel ?? base.tunnel,
    proxyProtocol: above.proxyProtocol ?? base.proxyProtocol,
    retryBudget: above.retryBudget ?? base.retryBudget,
  };
}

const emptyPool = {
  loadBalancer: undefined,
  connectionPool: undefined,
  outlierDetection: undefined,
  tls: undefined,
} as const;

function atPort(policy: TrafficPolicy | undefined, number: number) {
  if (policy === undefined) return undefined;
  const { portLevelSettings, ...all } = policy;
  const own = portLevelSettings.find(({ port }) => port?.number === number);
  if (own === undefined) return { policy: all, whole: false };
  const { connectionPool, loadBalancer, outlierDetection, tls } = own;
  return { policy: { connectionPool, loadBalancer, outlierDetection, tls, ...nothing }, whole: true };
}
