import {
  RouteActionSchema,
  RouteSchema,
  VirtualHostSchema,
} from "@signalbox/envoy-api/envoy/config/route/v3/route_components";
import type { MeshSettings } from "./mesh.ts";
import { encoded } from "./messages.ts";
import { ReverseWriter } from "./reverse-writer.ts";
import { defaultRoutes, virtualHost } from "./routes.ts";

/** What the virtual hosts of services without rules share: all but their names, domains and cluster. */
interface Shared {
  /** Of the route's action, what stands behind the cluster (field 1). */
  readonly action: Uint8Array;
  /** Of the route, what stands before its action (field 2) and behind it. */
  readonly match: Uint8Array;
  readonly route: Uint8Array;
  /** Of the virtual host, what stands behind its routes (field 3). */
  readonly host: Uint8Array;
}

const shared = new WeakMap<MeshSettings, Shared>();
/** Nothing that is written gives way to anybody else before it is finished, so one is enough. */
const writer = new ReverseWriter();

/** The bytes of `virtualHost(name, domains, defaultRoutes(cluster, settings))`. Most virtual hosts are such. */
export function encodeDefaultVirtualHost(
  name: string,
  domains: readonly string[],
  cluster: string,
  settings: MeshSettings,
): Uint8Array {
  const { action, host, match, route } = sharedParts(settings);
  writer.begin();
  writer.raw(host);
  const behindRoutes = writer.length;
  writer.raw(route);
  const behindAction = writer.length;
  writer.raw(action);
  writer.string(1, cluster);
  writer.nested(2, behindAction);
  writer.raw(match);
  writer.nested(3, behindRoutes);
  for (let at = domains.length - 1; at >= 0; at--) writer.string(2, domains[at] ?? "");
  writer.string(1, name);
  return writer.finish();
}

function sharedParts(settings: MeshSettings): Shared {
  let parts = shared.get(settings);
  if (parts === undefined) {
    const [only] = defaultRoutes("", settings);
    if (only?.action?.case !== "route") throw new Error("the route without rules leads to a cluster");
    const { action, match, ...route } = only;
    const { domains: _, name: __, routes: ___, ...host } = virtualHost("", [], []);
    parts = {
      action: encoded(RouteActionSchema, { ...action.value, clusterSpecifier: { case: undefined } }),
      match: encoded(RouteSchema, { ...(match && { match }) }),
      route: encoded(RouteSchema, route),
      host: encoded(VirtualHostSchema, host),
    };
    shared.set(settings, parts);
  }
  return parts;
}
