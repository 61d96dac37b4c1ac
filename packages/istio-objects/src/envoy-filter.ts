import type { ConfigObject } from "@signalbox/model";
import { renamedFilters } from "./envoy-filter-names.ts";
import { FaultList, type Checked, type ObjectPath } from "./fault.ts";
import { isObject } from "./proto-json.ts";
import { re2Fault } from "./re2.ts";
import { readEnvoyFilter, type ConfigPatch, type EnvoyFilter } from "./schema/envoy-filter.ts";
import { checkLabelSelector } from "./selectors.ts";

const longestVersion = 1024;
const httpConnectionManager = "envoy.filters.network.http_connection_manager";

/**
 * Reads and checks `spec` of an EnvoyFilter by the rules of Istio's API reference and admission. Paths begin with `spec`. Whether the values
 * of patches are of Envoy's types is not looked at here.
 */
export function checkEnvoyFilter(object: Pick<ConfigObject, "spec">): Checked<EnvoyFilter> {
  const faults = new FaultList();
  const value = readEnvoyFilter(object.spec, ["spec"], faults);
  faults.warning(["spec"], "depends on how proxies are configured today: prefer another kind where one does the same");
  if (value.workloadSelector !== undefined) {
    checkLabelSelector(value.workloadSelector.labels, ["spec", "workloadSelector"], "labels", faults);
  }
  for (const [index, patch] of value.configPatches.entries()) {
    // Istio's admission takes any patch of waypoints.
    if (patch.match?.context !== "WAYPOINT") checkPatch(patch, ["spec", "configPatches", index], faults);
  }
  return { value, faults: faults.faults };
}

function checkPatch({ applyTo, match, patch }: ConfigPatch, path: ObjectPath, faults: FaultList): void {
  if (applyTo === "INVALID") {
    faults.error([...path, "applyTo"], "is required");
    return;
  }
  if (patch === undefined) {
    faults.error([...path, "patch"], "is required");
    return;
  }
  if (patch.operation === "INVALID") faults.error([...path, "patch", "operation"], "is required");
  else if (patch.operation !== "REMOVE" && patch.value === undefined) {
    faults.error([...path, "patch", "value"], `operation ${patch.operation} needs it`);
  }
  if (patch.value !== undefined && !isObject(patch.value)) faults.error([...path, "patch", "value"], "must be a map");
  if (match === undefined) return;
  checkVersion(match.proxy?.proxyVersion ?? "", [...path, "match", "proxy", "proxyVersion"], faults);
  checkMatchFits(applyTo, match, [...path, "match"], faults);
  if (isListenerPart(applyTo)) checkFilterMatch(applyTo, match, [...path, "match"], faults);
}

function checkVersion(version: string, path: ObjectPath, faults: FaultList): void {
  if (version.length > longestVersion) {
    faults.warning(path, `is longer than ${longestVersion}, so no version matches`);
    return;
  }
  const fault = re2Fault(version);
  if (fault !== undefined) faults.error(path, `"${version}" is not a regular expression of RE2: ${fault}`);
}

type Match = NonNullable<ConfigPatch["match"]>;

function isListenerPart(applyTo: ConfigPatch["applyTo"]): boolean {
  return ["LISTENER", "FILTER_CHAIN", "NETWORK_FILTER", "HTTP_FILTER"].includes(applyTo);
}

/** A patch of listeners matches listeners, one of routes route configurations, one of clusters clusters. Others may say any. */
function checkMatchFits(applyTo: ConfigPatch["applyTo"], match: Match, path: ObjectPath, faults: FaultList): void {
  const given = (["listener", "routeConfiguration", "cluster", "waypoint"] as const).find(
    (field) => match[field] !== undefined,
  );
  const wanted = wantedMatch(applyTo);
  if (given === undefined || wanted === undefined || given === wanted) return;
  faults.error([...path, given], `applyTo ${applyTo} takes a match of "${wanted}"`, "key");
}

function wantedMatch(applyTo: ConfigPatch["applyTo"]): string | undefined {
  if (isListenerPart(applyTo)) return "listener";
  if (applyTo === "CLUSTER") return "cluster";
  return ["ROUTE_CONFIGURATION", "VIRTUAL_HOST", "HTTP_ROUTE"].includes(applyTo) ? "routeConfiguration" : undefined;
}

function checkFilterMatch(applyTo: ConfigPatch["applyTo"], match: Match, path: ObjectPath, faults: FaultList): void {
  const filter = match.listener?.filterChain?.filter;
  if (filter === undefined) return;
  const at = [...path, "listener", "filterChain", "filter"];
  if (applyTo === "LISTENER" || applyTo === "FILTER_CHAIN") {
    faults.warning(at, `has no effect with applyTo ${applyTo}`);
  }
  if (filter.name === "") {
    faults.error([...at, "name"], "is required");
    return;
  }
  const { subFilter } = filter;
  if (subFilter !== undefined) {
    if (applyTo !== "HTTP_FILTER") faults.error([...at, "subFilter"], "needs applyTo HTTP_FILTER");
    else if ((renamedFilters.get(filter.name) ?? filter.name) !== httpConnectionManager) {
      faults.error([...at, "name"], `a subFilter needs the filter ${httpConnectionManager}`);
    } else if (subFilter.name === "") faults.error([...at, "subFilter", "name"], "is required");
  }
  checkName(filter.name, [...at, "name"], faults);
  if (subFilter !== undefined) checkName(subFilter.name, [...at, "subFilter", "name"], faults);
}

function checkName(name: string, path: ObjectPath, faults: FaultList): void {
  const newer = renamedFilters.get(name);
  if (newer !== undefined) faults.warning(path, `"${name}" is the name of old: write ${newer}`);
}
