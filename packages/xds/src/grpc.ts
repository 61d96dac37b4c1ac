import { Cluster_DiscoveryType, Cluster_LbPolicy } from "@signalbox/envoy-api/envoy/config/cluster/v3/cluster";
import type { RouteConfigurationSchema } from "@signalbox/envoy-api/envoy/config/route/v3/route";
import { HttpConnectionManagerSchema } from "@signalbox/envoy-api/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager";
import type { CatalogInstance, Port, Service } from "@signalbox/model";
import type { ClusterInit } from "./cluster-init.ts";
import { type ClusterDiscovery, dialable, inlineAssignment } from "./clusters.ts";
import { faultFilter, routerFilter } from "./filters.ts";
import type { MeshSettings } from "./mesh.ts";
import { adsSource, duration, packed, type Init } from "./messages.ts";
import { outboundCluster } from "./names.ts";
import type { ListenerInit } from "./outbound-listeners.ts";
import { clusterAction, type RouteInit } from "./routes.ts";

/** gRPC takes EDS, and LOGICAL_DNS with exactly one name; whatever else a service is found by, its known addresses are sent. */
export function grpcDiscovery(service: Service, port: Port, instances: readonly CatalogInstance[]): ClusterDiscovery {
  if (service.resolution === "STATIC" || service.resolution === "NONE" || service.resolution === "DYNAMIC_DNS")
    return "EDS";
  const [only, ...more] = dialable(instances, port);
  return only?.addresses[0].type === "hostname" && more.length === 0 ? "LOGICAL_DNS" : "EDS";
}

/** A cluster that every gRPC client takes: ROUND_ROBIN, the one policy that all of them have, and nothing that any refuses. */
export function grpcCluster(
  service: Service,
  port: Port,
  instances: readonly CatalogInstance[],
  settings: MeshSettings,
  discovery: ClusterDiscovery,
  name = outboundCluster(port.number, service.hostname),
): ClusterInit {
  const base = { name, connectTimeout: duration(settings.connectTimeout), lbPolicy: Cluster_LbPolicy.ROUND_ROBIN };
  if (discovery === "LOGICAL_DNS") {
    return {
      ...base,
      clusterDiscoveryType: { case: "type", value: Cluster_DiscoveryType.LOGICAL_DNS },
      loadAssignment: inlineAssignment(name, port, instances),
    };
  }
  return {
    ...base,
    clusterDiscoveryType: { case: "type", value: Cluster_DiscoveryType.EDS },
    edsClusterConfig: { edsConfig: adsSource(), serviceName: name },
  };
}

/**
 * The listener of one target, `xds:///<name>:<port>`: not a socket, but where the client finds its routes. With `faults` its calls may be
 * failed and delayed by these.
 */
export function grpcListener(name: string, routeTable: string, faults = false): ListenerInit {
  return {
    name,
    apiListener: {
      apiListener: packed(HttpConnectionManagerSchema, grpcConnectionManager(name, routeTable, faults)),
    },
  };
}

/** What stands in a listener: where the routes are, and the filters that every gRPC library has. */
export function grpcConnectionManager(name: string, routeTable: string, faults: boolean) {
  return {
    statPrefix: name,
    routeSpecifier: { case: "rds", value: { configSource: adsSource(), routeConfigName: routeTable } },
    httpFilters: [...(faults ? [faultFilter()] : []), routerFilter()],
  } satisfies Init<typeof HttpConnectionManagerSchema>;
}

/**
 * The route table of one service port, named as its cluster: whatever name led here, it is this service. Without `routes` of rules all calls
 * go to its cluster.
 */
export function grpcRoutes(
  service: Service,
  port: Port,
  routes?: readonly RouteInit[],
): Init<typeof RouteConfigurationSchema> & { name: string } {
  const name = outboundCluster(port.number, service.hostname);
  return {
    name,
    virtualHosts: [
      {
        name: grpcHostName(service, port),
        domains: ["*"],
        routes: routes === undefined ? [grpcDefaultRoute(name)] : [...routes],
      },
    ],
  };
}

/** The name of the one virtual host in a route table. */
export function grpcHostName({ hostname }: Service, port: Port): string {
  return `${hostname}:${String(port.number)}`;
}

/** The route of a port without rules: all calls go to its cluster. */
export function grpcDefaultRoute(cluster: string) {
  return {
    name: "default",
    match: { pathSpecifier: { case: "prefix", value: "" } },
    action: { case: "route", value: clusterAction(cluster) },
  } satisfies RouteInit;
}
