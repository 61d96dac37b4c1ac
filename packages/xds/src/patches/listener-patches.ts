import { anyIs, anyPack, anyUnpack } from "@bufbuild/protobuf/wkt";
import type { Listener } from "@signalbox/envoy-api/envoy/config/listener/v3/listener";
import type { Filter, FilterChain } from "@signalbox/envoy-api/envoy/config/listener/v3/listener_components";
import { HttpConnectionManagerSchema } from "@signalbox/envoy-api/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager";
import type { CompiledPatch } from "./compile.ts";
import {
  httpFilterName,
  listenerFilterName,
  matchesChain,
  matchesListener,
  networkFilterName,
  type PatchContext,
  type PatchPlace,
} from "./match.ts";
import { isMerge, mergeFilter, rearrange, type Placed } from "./placed.ts";
import { patchRouteTable } from "./route-patches.ts";

const connectionManager = "envoy.filters.network.http_connection_manager";

/** Patches a listener in place, from the outside in; routes that stand in it come first. False for one that is removed. */
export function patchListener(listener: Listener, placed: Placed, place: PatchPlace, context: PatchContext): boolean {
  if (place === "SIDECAR_INBOUND") patchInlineRoutes(listener, placed, context);
  for (const patch of placed.of("LISTENER")) {
    if (!matchesListener(patch, listener)) continue;
    if (patch.operation === "REMOVE") {
      placed.touched = true;
      return false;
    }
    placed.merge("LISTENER", patch, listener);
  }
  patchListenerFilters(listener, placed);
  patchChains(listener, placed);
  return true;
}

function patchListenerFilters(listener: Listener, placed: Placed): void {
  for (const patch of placed.of("LISTENER_FILTER")) {
    if (!matchesListener(patch, listener)) continue;
    const name = listenerFilterName(patch);
    rearrange(placed, "LISTENER_FILTER", patch, listener.listenerFilters, name);
    if (name === undefined) continue;
    for (const filter of listener.listenerFilters) if (filter.name === name) mergeFilter(placed, patch, filter, false);
  }
}

function patchChains(listener: Listener, placed: Placed): void {
  listener.filterChains = listener.filterChains.filter((chain) => patchChain(listener, chain, placed));
  const last = listener.defaultFilterChain;
  if (last !== undefined && !patchChain(listener, last, placed)) delete listener.defaultFilterChain;
  for (const patch of placed.of("FILTER_CHAIN")) {
    if (patch.operation !== "ADD" || !matchesListener(patch, listener)) continue;
    const chain = placed.value("FILTER_CHAIN", patch);
    if (chain.filters.length > 0) listener.filterChains.push(chain);
  }
}

/** False for a chain that is removed. */
function patchChain(listener: Listener, chain: FilterChain, placed: Placed): boolean {
  const fits = (patch: CompiledPatch) => matchesListener(patch, listener) && matchesChain(patch, listener, chain);
  for (const patch of placed.of("FILTER_CHAIN")) {
    if (!fits(patch)) continue;
    if (patch.operation === "REMOVE") {
      placed.touched = true;
      return false;
    }
    if (isMerge(patch) && !mergeTransport(chain, patch, placed)) placed.merge("FILTER_CHAIN", patch, chain);
  }
  const network = placed.of("NETWORK_FILTER").filter(fits);
  for (const patch of network) rearrange(placed, "NETWORK_FILTER", patch, chain.filters, networkFilterName(patch));
  for (const filter of chain.filters) {
    for (const patch of network)
      if ((networkFilterName(patch) ?? filter.name) === filter.name) mergeFilter(placed, patch, filter, true);
    const http = placed
      .of("HTTP_FILTER")
      .filter((patch) => fits(patch) && (networkFilterName(patch) ?? filter.name) === filter.name);
    if (http.length > 0) patchHttpFilters(filter, http, placed);
  }
  return true;
}

/** A patch with a transport socket of the chain's name is merged into that, and the rest of it has no effect, as in Istio. */
function mergeTransport(chain: FilterChain, patch: CompiledPatch, placed: Placed): boolean {
  const source = (patch.value as FilterChain).transportSocket;
  const target = chain.transportSocket;
  if (source === undefined || source.name !== target?.name) return false;
  if (target.configType.case === "typedConfig" && source.configType.case === "typedConfig") {
    target.configType.value = placed.mergeAny(patch, target.configType.value, source.configType.value);
  }
  return true;
}

function patchHttpFilters(filter: Filter, patches: readonly CompiledPatch[], placed: Placed): void {
  const manager = managerOf(filter);
  if (manager === undefined) return;
  for (const patch of patches) rearrange(placed, "HTTP_FILTER", patch, manager.httpFilters, httpFilterName(patch));
  for (const http of manager.httpFilters)
    for (const patch of patches)
      if ((httpFilterName(patch) ?? http.name) === http.name) mergeFilter(placed, patch, http, true);
  filter.configType = { case: "typedConfig", value: anyPack(HttpConnectionManagerSchema, manager) };
}

function patchInlineRoutes(listener: Listener, placed: Placed, context: PatchContext): void {
  if (placed.of("ROUTE_CONFIGURATION").length + placed.of("VIRTUAL_HOST").length + placed.of("HTTP_ROUTE").length === 0)
    return;
  const last = listener.defaultFilterChain;
  for (const { filters } of last === undefined ? listener.filterChains : [...listener.filterChains, last])
    for (const filter of filters) {
      const manager = managerOf(filter);
      if (manager?.routeSpecifier.case !== "routeConfig") continue;
      patchRouteTable(manager.routeSpecifier.value, placed, "SIDECAR_INBOUND", context);
      filter.configType = { case: "typedConfig", value: anyPack(HttpConnectionManagerSchema, manager) };
    }
}

function managerOf({ name, configType }: Filter) {
  if (name !== connectionManager || configType.case !== "typedConfig") return undefined;
  return anyIs(configType.value, HttpConnectionManagerSchema)
    ? anyUnpack(configType.value, HttpConnectionManagerSchema)
    : undefined;
}
