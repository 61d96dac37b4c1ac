const types = [
  ["cds", "type.googleapis.com/envoy.config.cluster.v3.Cluster"],
  ["ecds", "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig"],
  ["eds", "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment"],
  ["lds", "type.googleapis.com/envoy.config.listener.v3.Listener"],
  ["nds", "type.googleapis.com/istio.networking.nds.v1.NameTable"],
  ["rds", "type.googleapis.com/envoy.config.route.v3.RouteConfiguration"],
  ["sds", "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret"],
  ["srds", "type.googleapis.com/envoy.config.route.v3.ScopedRouteConfiguration"],
  ["vhds", "type.googleapis.com/envoy.config.route.v3.VirtualHost"],
] as const;

const shortByUrl = new Map<string, string>(types.map(([short, url]) => [url, short]));
const urlByShort = new Map<string, string>(types);

/** The short names of resource types that the pages and metrics know, sorted. */
export const shortTypes: readonly string[] = types.map(([short]) => short);

/** The short name of a type URL, as in `cds`; `other` for one that is not known, so that a client cannot make up label values. */
export function shortType(url: string): string {
  return shortByUrl.get(url) ?? "other";
}

/** The type URL of a short name, in any case; `undefined` for one that is not known. */
export function typeUrl(short: string): string | undefined {
  return urlByShort.get(short.toLowerCase());
}
