import type { RouteConfiguration } from "@signalbox/envoy-api/envoy/config/route/v3/route";
import type { Route, VirtualHost } from "@signalbox/envoy-api/envoy/config/route/v3/route_components";
import type { CompiledPatch } from "./compile.ts";
import {
  matchesHost,
  matchesRoute,
  matchesRouteTable,
  wantsRoute,
  type PatchContext,
  type PatchPlace,
} from "./match.ts";
import type { Placed } from "./placed.ts";

/** Patches a route table in place: first the table, then what is in it, then what is added. */
export function patchRouteTable(
  table: RouteConfiguration,
  placed: Placed,
  place: PatchPlace,
  context: PatchContext,
): void {
  const fits = (patch: CompiledPatch) => matchesRouteTable(patch, place, table.name, context);
  for (const patch of placed.of("ROUTE_CONFIGURATION").filter(fits)) placed.merge("ROUTE_CONFIGURATION", patch, table);
  const hostPatches = placed.of("VIRTUAL_HOST").filter(fits);
  const routePatches = placed.of("HTTP_ROUTE").filter(fits);
  const removed = new Set<string>();
  table.virtualHosts = table.virtualHosts.map((host) => {
    const patched = patchHost(host, hostPatches, placed);
    if (patched === undefined) {
      removed.add(host.name);
      return host;
    }
    patchRoutes(patched, routePatches, placed);
    return patched;
  });
  for (const patch of hostPatches)
    if (patch.operation === "ADD") table.virtualHosts.push(placed.value("VIRTUAL_HOST", patch));
  if (removed.size > 0) table.virtualHosts = table.virtualHosts.filter(({ name }) => !removed.has(name));
}

function patchHost(host: VirtualHost, patches: readonly CompiledPatch[], placed: Placed): VirtualHost | undefined {
  let now = host;
  for (const patch of patches) {
    if (!matchesHost(patch, now)) continue;
    if (patch.operation === "REMOVE") {
      placed.touched = true;
      return undefined;
    }
    if (patch.operation === "REPLACE") now = placed.value("VIRTUAL_HOST", patch);
    else placed.merge("VIRTUAL_HOST", patch, now);
  }
  return now;
}

function patchRoutes(host: VirtualHost, all: readonly CompiledPatch[], placed: Placed): void {
  const patches = all.filter((patch) => matchesHost(patch, host));
  if (patches.length === 0) return;
  host.routes = host.routes.filter((route) => patchRoute(route, patches, placed));
  for (const patch of patches) insertRoute(host, patch, placed);
}

/** False for a route that is removed. */
function patchRoute(route: Route, patches: readonly CompiledPatch[], placed: Placed): boolean {
  for (const patch of patches) {
    if (!matchesRoute(patch, route)) continue;
    if (patch.operation === "REMOVE") {
      placed.touched = true;
      return false;
    }
    placed.merge("HTTP_ROUTE", patch, route);
  }
  return true;
}

function insertRoute({ routes }: VirtualHost, patch: CompiledPatch, placed: Placed): void {
  const value = () => placed.value("HTTP_ROUTE", patch);
  const index = wantsRoute(patch) ? routes.findIndex((route) => matchesRoute(patch, route)) : undefined;
  switch (patch.operation) {
    case "ADD":
      routes.push(value());
      break;
    case "INSERT_AFTER":
      if (index === undefined) routes.push(value());
      else if (index >= 0) routes.splice(index + 1, 0, value());
      break;
    case "INSERT_BEFORE":
      if (index === undefined) routes.unshift(value());
      else if (index >= 0) routes.splice(index, 0, value());
      break;
    case "INSERT_FIRST":
      if (index === undefined || index >= 0) routes.unshift(value());
      break;
    default:
  }
}
