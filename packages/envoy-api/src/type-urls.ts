/** A protobuf type URL as `google.protobuf.Any` carries it, for example `type.googleapis.com/envoy.config.cluster.v3.Cluster`. */
export type TypeUrl = `type.googleapis.com/${string}`;

/** Type URLs of the xDS resource types. Source: Envoy's xDS protocol documentation, "Resource Types". */
export const typeUrls = {
  cluster: "type.googleapis.com/envoy.config.cluster.v3.Cluster",
  endpoint: "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment",
  listener: "type.googleapis.com/envoy.config.listener.v3.Listener",
  route: "type.googleapis.com/envoy.config.route.v3.RouteConfiguration",
  scopedRoute: "type.googleapis.com/envoy.config.route.v3.ScopedRouteConfiguration",
  virtualHost: "type.googleapis.com/envoy.config.route.v3.VirtualHost",
  secret: "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret",
} as const satisfies Record<string, TypeUrl>;
