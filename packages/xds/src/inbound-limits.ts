import type { Protocol } from "@signalbox/model";
import type { PortPolicy } from "@signalbox/traffic";
import type { ClusterInit } from "./cluster-init.ts";
import { httpOptionsName } from "./clusters.ts";
import type { MeshSettings } from "./mesh.ts";
import { duration } from "./messages.ts";
import { keepalive, thresholds } from "./traffic-policy/connection-pool.ts";
import { httpOptions, upstreamHttp } from "./traffic-policy/http-options.ts";
import { noNames } from "./traffic-policy/tls.ts";

/** What holds for connections of a proxy to its own workload. Of a DestinationRule nothing else does, as in Istio. */
export type InboundLimits = {
  readonly [Field in "connectionPool" | "retryBudget"]?: PortPolicy[Field] | undefined;
};

/** The limits of a policy; undefined where it has none. */
export function inboundLimits(policy: InboundLimits | undefined): InboundLimits | undefined {
  const { connectionPool, retryBudget } = policy ?? {};
  if (connectionPool === undefined && retryBudget === undefined) return undefined;
  return { ...(connectionPool && { connectionPool }), ...(retryBudget && { retryBudget }) };
}

/** An inbound cluster with these limits. The workload speaks what its port says: it is not asked for an upgrade to HTTP/2. */
export function withLimits(
  cluster: ClusterInit,
  protocol: Protocol,
  { connectionPool, retryBudget }: InboundLimits,
  settings: MeshSettings,
): ClusterInit {
  const { typedExtensionProtocolOptions: _, upstreamConnectionOptions: __, ...kept } = cluster;
  const http = connectionPool?.http && ({ ...connectionPool.http, h2UpgradePolicy: "DEFAULT" } as const);
  const connections = keepalive(settings.tcpKeepalive, connectionPool);
  const upstream = upstreamHttp(protocol, http, false);
  const options = httpOptions({ upstream, pool: connectionPool, outlierDetection: undefined, names: noNames });
  return {
    ...kept,
    connectTimeout: duration(connectionPool?.tcp?.connectTimeout ?? settings.connectTimeout),
    circuitBreakers: { thresholds: [thresholds({ connectionPool, retryBudget })] },
    ...(connections === undefined ? {} : { upstreamConnectionOptions: connections }),
    ...(options === undefined ? {} : { typedExtensionProtocolOptions: { [httpOptionsName]: options } }),
  };
}
