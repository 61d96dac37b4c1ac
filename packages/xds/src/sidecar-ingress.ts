import { Cluster_DiscoveryType } from "@signalbox/envoy-api/envoy/config/cluster/v3/cluster";
import { AddressSchema } from "@signalbox/envoy-api/envoy/config/core/v3/address";
import { create } from "@bufbuild/protobuf";
import type { IngressListener, Sidecar } from "@signalbox/istio-objects";
import { parseProtocol } from "@signalbox/model";
import type { ClusterInit } from "./cluster-init.ts";
import type { InboundPort } from "./inbound.ts";
import { inboundLimits } from "./inbound-limits.ts";
import { socketAddress } from "./messages.ts";

/** The ports that a Sidecar says its workload serves; they stand in the place of those that services have. */
export function ingressPorts({ inboundConnectionPool, ingress }: Sidecar): readonly InboundPort[] {
  const ports = new Map<number, InboundPort>();
  for (const { connectionPool = inboundConnectionPool, defaultEndpoint, port } of ingress) {
    if (port === undefined || ports.has(port.number)) continue;
    const limits = inboundLimits({ connectionPool });
    const served = { number: port.number, protocol: parseProtocol(port.protocol), ...(limits && { limits }) };
    ports.set(port.number, isElsewhere(defaultEndpoint) ? { ...served, endpoint: defaultEndpoint } : served);
  }
  return [...ports.values()].sort((a, b) => a.number - b.number);
}

/** The inbound cluster of a port, sent to the endpoint that the Sidecar names: `127.0.0.1:PORT`, `[::1]:PORT` or `unix://PATH`. */
export function atEndpoint(cluster: ClusterInit, endpoint: string): ClusterInit {
  const { lbPolicy: _, clusterDiscoveryType: __, upstreamBindConfig: ___, ...rest } = cluster;
  return {
    ...rest,
    clusterDiscoveryType: { case: "type", value: Cluster_DiscoveryType.STATIC },
    loadAssignment: {
      clusterName: cluster.name,
      endpoints: [
        {
          lbEndpoints: [{ hostIdentifier: { case: "endpoint", value: { address: addressOf(endpoint) } } }],
        },
      ],
    },
  };
}

/** `0.0.0.0:PORT`, `[::]:PORT` and `:PORT` are the workload's own address, to which the connection goes anyway. */
function isElsewhere(endpoint: IngressListener["defaultEndpoint"]): boolean {
  return endpoint !== "" && !/^(?:0\.0\.0\.0|\[::\])?:/.test(endpoint);
}

function addressOf(endpoint: string) {
  if (endpoint.startsWith("unix://"))
    return create(AddressSchema, { address: { case: "pipe", value: { path: endpoint.slice("unix://".length) } } });
  const colon = endpoint.lastIndexOf(":");
  return socketAddress(endpoint.slice(0, colon).replace(/^\[|\]$/g, ""), Number(endpoint.slice(colon + 1)));
}
