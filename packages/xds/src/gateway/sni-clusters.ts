import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { ClusterSchema } from "@signalbox/envoy-api/envoy/config/cluster/v3/cluster";
import { resourceOf, type Resource } from "@signalbox/xds-server";
import type { CompiledService } from "../compiled-service.ts";
import { coversHost } from "../host-patterns.ts";

/** ALPN of mutual TLS between Istio's proxies: nobody reaches a workload through AUTO_PASSTHROUGH without it. */
export const meshAlpn: readonly string[] = [
  "istio-peer-exchange",
  "istio",
  "istio-http/1.0",
  "istio-http/1.1",
  "istio-h2",
];

/** Istio's name of a cluster as a server name: `outbound|80|v1|a.b` is `outbound_.80_.v1_.a.b`. */
export function sniName(cluster: string): string {
  return cluster.split("|").join("_.");
}

/** May AUTO_PASSTHROUGH servers with these hosts lead to the service? */
export function isPassedTo(service: CompiledService | undefined, hosts: readonly string[]): boolean {
  if (service === undefined || service.rules?.bare === true || service.entry.service.meshExternal) return false;
  return hosts.some((host) => coversHost(host, service.host));
}

/** Names by which clients reach a service and its subsets through AUTO_PASSTHROUGH. */
export function sniNames(service: CompiledService): readonly string[] {
  return service.resources("router").clusters.map(({ name }) => sniName(name));
}

/**
 * The clusters behind AUTO_PASSTHROUGH: those of the service, which pass on the TLS that the client has begun. Their endpoints are the
 * service's own.
 */
export function sniClusters(service: CompiledService): readonly Resource[] {
  return service.resources("router").clusters.map(sniCluster);
}

function sniCluster({ bytes, name }: Resource): Resource {
  const cluster = fromBinary(ClusterSchema, bytes);
  const { edsClusterConfig } = cluster;
  cluster.name = sniName(name);
  cluster.transportSocket = undefined;
  cluster.transportSocketMatches = [];
  cluster.typedExtensionProtocolOptions = {};
  if (edsClusterConfig?.serviceName === "") edsClusterConfig.serviceName = name;
  return resourceOf(cluster.name, toBinary(ClusterSchema, cluster));
}
