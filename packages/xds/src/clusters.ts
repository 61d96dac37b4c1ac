import type { ClusterInit } from "./cluster-init.ts";
import { create } from "@bufbuild/protobuf";
import type { Any } from "@bufbuild/protobuf/wkt";
import {
  Cluster_DiscoveryType,
  Cluster_DnsLookupFamily,
  Cluster_LbPolicy,
} from "@signalbox/envoy-api/envoy/config/cluster/v3/cluster";
import { CircuitBreakersSchema } from "@signalbox/envoy-api/envoy/config/cluster/v3/circuit_breaker";
import type { ClusterLoadAssignmentSchema } from "@signalbox/envoy-api/envoy/config/endpoint/v3/endpoint";
import { ClusterConfigSchema } from "@signalbox/envoy-api/envoy/extensions/clusters/dynamic_forward_proxy/v3/cluster";
import { HttpProtocolOptionsSchema } from "@signalbox/envoy-api/envoy/extensions/upstreams/http/v3/http_protocol_options";
import type { Address, CatalogInstance, Port, Protocol, Service } from "@signalbox/model";
import {
  additionalAddresses,
  endpointWeight,
  envoyHealth,
  groupWeight,
  localityGroups,
  type LocalityGroup,
} from "./endpoints.ts";
import type { MeshSettings } from "./mesh.ts";
import { adsSource, duration, packed, socketAddress, type Init } from "./messages.ts";
import {
  blackHoleCluster,
  inboundCluster,
  inboundPassthroughCluster,
  outboundCluster,
  passthroughCluster,
} from "./names.ts";
import { keepalive, unlimited } from "./traffic-policy/connection-pool.ts";
import { leastRequest } from "./traffic-policy/load-balancer.ts";

type AssignmentInit = Init<typeof ClusterLoadAssignmentSchema>;

/** How a cluster finds its endpoints, for a client of one kind. */
export type ClusterDiscovery =
  "EDS" | "STRICT_DNS" | "LOGICAL_DNS" | "ORIGINAL_DST" | "DYNAMIC_FORWARD_PROXY" | "STATIC";

/** Does the proxy see the address that the application dialled (captured traffic)? */
export type Capture = "captured" | "direct";

/** The key under which a cluster keeps its HTTP options. */
export const httpOptionsName = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
/** Source address of connections to the application, by which the capture rules know not to capture them again. */
const inboundSourceAddress = "127.0.0.6";
const passthroughIdle = 300_000;

/** The DNS cache that a DYNAMIC_DNS service's cluster and the HTTP filter share: the same settings under the same name. */
export function dnsCache(clusterName: string): { name: string; dnsLookupFamily: Cluster_DnsLookupFamily } {
  return { name: `dns|${clusterName}`, dnsLookupFamily: Cluster_DnsLookupFamily.V4_PREFERRED };
}

/**
 * Istio's choice by resolution. `NONE` follows the dialled address where there is one to follow; a proxy that binds its own
 * ports would connect to itself, so it takes the known endpoints instead, as Istio's gateways do. An `ALIAS` gets here only
 * when its target is not in the catalog: then the target's name is looked up.
 */
export function clusterDiscovery(
  service: Service,
  port: Port,
  instances: readonly CatalogInstance[],
  capture: Capture,
): ClusterDiscovery {
  switch (service.resolution) {
    case "STATIC":
      return "EDS";
    case "DNS":
    case "ALIAS":
      return "STRICT_DNS";
    case "DNS_ROUND_ROBIN":
      return dialable(instances, port).length === 0 ? "STATIC" : "LOGICAL_DNS";
    case "NONE":
      return capture === "captured" ? "ORIGINAL_DST" : "EDS";
    case "DYNAMIC_DNS":
      return "DYNAMIC_FORWARD_PROXY";
  }
}

/** The cluster of one service port, or under another name of some of its endpoints, where no rule says anything of it. */
export function serviceCluster(
  service: Service,
  port: Port,
  instances: readonly CatalogInstance[],
  settings: MeshSettings,
  discovery: ClusterDiscovery,
  name = outboundCluster(port.number, service.hostname),
): ClusterInit {
  const options = protocolOptions(port.protocol === "HTTP" && settings.h2Upgrade ? "HTTP2" : port.protocol);
  return {
    name,
    ...keepaliveFields(settings),
    connectTimeout: duration(settings.connectTimeout),
    circuitBreakers,
    commonLbConfig: { healthyPanicThreshold: { value: 0 } },
    ...discoveryFields(name, port, instances, settings, discovery),
    ...(options === undefined ? {} : { typedExtensionProtocolOptions: { [httpOptionsName]: options } }),
  };
}

/** The clusters that every Envoy has beside its services'. */
export function meshClusters(settings: MeshSettings): readonly ClusterInit[] {
  return [
    {
      name: blackHoleCluster,
      clusterDiscoveryType: { case: "type", value: Cluster_DiscoveryType.STATIC },
      connectTimeout: duration(settings.connectTimeout),
    },
    originalDestination(passthroughCluster, settings, "UNSUPPORTED", passthroughIdle),
  ];
}

/** The clusters of captured inbound traffic: each of the proxy's ports, and everything else. */
export function inboundClusters(
  ports: readonly { readonly number: number; readonly protocol: Protocol }[],
  settings: MeshSettings,
): readonly ClusterInit[] {
  const upstreamBindConfig = {
    sourceAddress: { address: inboundSourceAddress, portSpecifier: { case: "portValue", value: 0 } },
  } as const;
  const rest = originalDestination(inboundPassthroughCluster, settings, "UNSUPPORTED", passthroughIdle);
  return [
    ...ports.map((port) => ({
      ...originalDestination(inboundCluster(port.number), settings, port.protocol),
      upstreamBindConfig,
    })),
    { ...rest, upstreamBindConfig },
  ];
}

function originalDestination(
  name: string,
  settings: MeshSettings,
  protocol: Protocol,
  idleTimeout?: number,
): ClusterInit {
  const options = protocolOptions(protocol, idleTimeout);
  return {
    name,
    ...keepaliveFields(settings),
    clusterDiscoveryType: { case: "type", value: Cluster_DiscoveryType.ORIGINAL_DST },
    lbPolicy: Cluster_LbPolicy.CLUSTER_PROVIDED,
    connectTimeout: duration(settings.connectTimeout),
    circuitBreakers,
    ...(options === undefined ? {} : { typedExtensionProtocolOptions: { [httpOptionsName]: options } }),
  };
}

/** HTTP/2 where the port says so; where it says nothing, whatever the client spoke. Plain HTTP/1.1 is Envoy's default. */
function protocolOptions(protocol: Protocol, idleTimeout?: number): Any | undefined {
  const http2 = protocol === "HTTP2" || protocol === "GRPC" || protocol === "GRPC-WEB";
  if (!http2 && protocol !== "UNSUPPORTED") return undefined;
  const key = `${http2 ? "http2" : "downstream"} ${String(idleTimeout)}`;
  let options = packedOptions.get(key);
  if (options === undefined) {
    options = packOptions(http2, idleTimeout);
    packedOptions.set(key, options);
  }
  return options;
}

const packedOptions = new Map<string, Any>();

function packOptions(http2: boolean, idleTimeout?: number): Any {
  return packed(HttpProtocolOptionsSchema, {
    ...(idleTimeout === undefined ? {} : { commonHttpProtocolOptions: { idleTimeout: duration(idleTimeout) } }),
    upstreamProtocolOptions: http2
      ? {
          case: "explicitHttpConfig",
          value: { protocolConfig: { case: "http2ProtocolOptions", value: {} } },
        }
      : { case: "useDownstreamProtocolConfig", value: { httpProtocolOptions: {}, http2ProtocolOptions: {} } },
  });
}

function discoveryFields(
  name: string,
  port: Port,
  instances: readonly CatalogInstance[],
  settings: MeshSettings,
  discovery: ClusterDiscovery,
): Omit<ClusterInit, "name"> {
  switch (discovery) {
    case "EDS":
      return {
        clusterDiscoveryType: { case: "type", value: Cluster_DiscoveryType.EDS },
        edsClusterConfig: { edsConfig: adsSource(), serviceName: name },
        ...leastRequest(),
      };
    case "STRICT_DNS":
      return {
        clusterDiscoveryType: { case: "type", value: Cluster_DiscoveryType.STRICT_DNS },
        ...leastRequest(),
        loadAssignment: inlineAssignment(name, port, instances),
        ...dnsFields(settings),
      };
    case "LOGICAL_DNS":
      return {
        clusterDiscoveryType: { case: "type", value: Cluster_DiscoveryType.LOGICAL_DNS },
        loadAssignment: inlineAssignment(name, port, dialable(instances, port).slice(0, 1)),
        ...dnsFields(settings),
      };
    case "ORIGINAL_DST":
      return {
        clusterDiscoveryType: { case: "type", value: Cluster_DiscoveryType.ORIGINAL_DST },
        lbPolicy: Cluster_LbPolicy.CLUSTER_PROVIDED,
      };
    case "STATIC":
      return { clusterDiscoveryType: { case: "type", value: Cluster_DiscoveryType.STATIC } };
    case "DYNAMIC_FORWARD_PROXY":
      return {
        clusterDiscoveryType: {
          case: "clusterType",
          value: {
            name: "envoy.clusters.dynamic_forward_proxy",
            typedConfig: packed(ClusterConfigSchema, {
              clusterImplementationSpecifier: { case: "dnsCacheConfig", value: dnsCache(name) },
              allowInsecureClusterOptions: true,
            }),
          },
        },
        lbPolicy: Cluster_LbPolicy.CLUSTER_PROVIDED,
      };
  }
}

function dnsFields(settings: MeshSettings): Omit<ClusterInit, "name"> {
  return {
    dnsRefreshRate: duration(settings.dnsRefreshRate),
    respectDnsTtl: true,
    dnsLookupFamily: Cluster_DnsLookupFamily.V4_PREFERRED,
  };
}

function keepaliveFields(settings: MeshSettings): Omit<ClusterInit, "name"> {
  const upstreamConnectionOptions = keepalive(settings.tcpKeepalive);
  return upstreamConnectionOptions === undefined ? {} : { upstreamConnectionOptions };
}

/** Istio's thresholds: Envoy's own are a thousand and refuse the rest. */
const circuitBreakers = create(CircuitBreakersSchema, {
  thresholds: [
    { maxConnections: unlimited, maxPendingRequests: unlimited, maxRequests: unlimited, maxRetries: unlimited },
  ],
});

/** Endpoints that DNS clusters can dial, first by priority, locality and address. */
export function dialable(instances: readonly CatalogInstance[], port: Port): readonly CatalogInstance[] {
  return localityGroups(instances, port.name, "ip-and-hostname").flatMap((group) => group.instances);
}

/** Endpoints written into the cluster itself. */
export function inlineAssignment(
  clusterName: string,
  port: Port,
  instances: readonly CatalogInstance[],
): AssignmentInit {
  return assignmentOf(clusterName, localityGroups(instances, port.name, "ip-and-hostname"));
}

/** These endpoints as a message; `encodeAssignment` writes the same bytes faster. */
export function assignmentOf(clusterName: string, groups: readonly LocalityGroup[]): AssignmentInit {
  return {
    clusterName,
    endpoints: groups.map((group) => ({
      locality: { region: group.locality.region, zone: group.locality.zone, subZone: group.locality.subzone },
      priority: group.priority,
      loadBalancingWeight: groupWeight(group),
      lbEndpoints: group.instances.map(lbEndpoint),
    })),
  };
}

/** An endpoint as a message; `encodeEndpoint` writes the same bytes faster. */
export function lbEndpoint(instance: CatalogInstance) {
  return {
    hostIdentifier: {
      case: "endpoint" as const,
      value: {
        address: addressMessage(instance.addresses[0]),
        additionalAddresses: additionalAddresses(instance).map((address) => ({
          address: socketAddress(address.ip, address.port),
        })),
      },
    },
    healthStatus: envoyHealth(instance),
    loadBalancingWeight: endpointWeight(instance),
  };
}

function addressMessage(address: Address) {
  switch (address.type) {
    case "ip":
      return socketAddress(address.ip, address.port);
    case "hostname":
      return socketAddress(address.hostname, address.port);
    case "unix":
      return { address: { case: "pipe" as const, value: { path: address.path } } };
  }
}
