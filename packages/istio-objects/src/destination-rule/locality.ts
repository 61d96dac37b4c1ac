import { byCodeUnit } from "@signalbox/model";
import type { FaultList, ObjectPath } from "../fault.ts";
import type { LoadBalancer } from "../schema/destination-rule.ts";

const topologyLabels = new Set([
  "topology.kubernetes.io/region",
  "topology.kubernetes.io/zone",
  "topology.istio.io/subzone",
]);

type LocalitySetting = NonNullable<LoadBalancer["localityLbSetting"]>;
type ZoneAwareSetting = NonNullable<LoadBalancer["zoneAwareLbSetting"]>;

/** Checks how traffic is spread over localities, or fails over between them. `ejects` says whether there is outlier detection. */
export function checkLocalitySetting(
  setting: LocalitySetting | undefined,
  path: ObjectPath,
  ejects: boolean,
  faults: FaultList,
): void {
  if (setting === undefined) return;
  const { distribute, failover, failoverPriority } = setting;
  if (distribute.length > 0 && failover.length > 0) {
    faults.error([...path, "failover"], "cannot stand beside distribute");
    return;
  }
  const topology = failoverPriority.findIndex((label) => topologyLabels.has(label));
  if (failover.length > 0 && topology >= 0) {
    faults.error([...path, "failoverPriority", topology], "cannot stand beside failover, which is by region too");
    return;
  }
  for (const [index, { to }] of distribute.entries()) checkShares(to, [...path, "distribute", index, "to"], faults);
  const from = distribute.map((one, index) => ({ locality: one.from, path: [...path, "distribute", index, "from"] }));
  checkLocalities(from, "value", faults);
  checkFailover(setting, path, ejects, faults);
}

/** Checks zone-aware balancing, which knows regions and zones by itself. */
export function checkZoneAwareSetting(
  setting: ZoneAwareSetting | undefined,
  path: ObjectPath,
  ejects: boolean,
  faults: FaultList,
): void {
  if (setting === undefined) return;
  for (const [index, label] of setting.failoverPriority.entries()) {
    if (topologyLabels.has(label))
      faults.error([...path, "failoverPriority", index], "must not be a label of the topology, which counts already");
  }
  checkFailover(setting, path, ejects, faults);
}

function checkShares(to: Readonly<Record<string, number>>, path: ObjectPath, faults: FaultList): void {
  let total = 0;
  for (const [locality, weight] of Object.entries(to)) {
    if (weight < 1 || weight > 100) faults.error([...path, locality], "must be from 1 to 100");
    total += weight;
  }
  if (total !== 100) faults.error(path, `the weights must add up to 100, not to ${total}`);
  // A map has no order; sorted, a wildcard comes before what it covers.
  const localities = Object.keys(to).sort(byCodeUnit);
  checkLocalities(
    localities.map((locality) => ({ locality, path: [...path, locality] })),
    "key",
    faults,
  );
}

interface PlacedLocality {
  readonly locality: string;
  readonly path: ObjectPath;
}

/** Checks `region/zone/subzone`, each of which may be shorter or end with `*`, and that none lies within one before it. */
function checkLocalities(localities: readonly PlacedLocality[], at: "key" | "value", faults: FaultList): void {
  const seen = new Set<string>();
  const inner = new Set<string>();
  for (const { locality, path } of localities) {
    const fault = localityFault(locality) ?? overlap(locality, seen, inner);
    if (fault === undefined) continue;
    faults.error(path, fault, at);
    return;
  }
}

function localityFault(locality: string): string | undefined {
  const star = locality.indexOf("*");
  if (star >= 0 && star !== locality.length - 1) return `"${locality}" may have one * only, at its end`;
  const empty = parts(locality).includes("");
  return empty ? `"${locality}" has an empty region, zone or subzone` : undefined;
}

/** Notes a locality in `seen`, and what it lies in, in `inner`; says so where one before it has it already. */
function overlap(locality: string, seen: Set<string>, inner: Set<string>): string | undefined {
  const names = parts(locality);
  const key = names.join("/");
  const outer = names.slice(0, -1).map((_, index) => names.slice(0, index + 1).join("/"));
  const covering = ["*", ...outer.flatMap((one) => [one, `${one}/*`]), key].find((one) => seen.has(one));
  if (covering !== undefined) return `"${locality}" overlaps with "${covering}" before it`;
  if (names.length < 3 && inner.has(key)) return `"${locality}" overlaps with a part of it before it`;
  seen.add(key);
  for (const one of outer) inner.add(one);
  return undefined;
}

function parts(locality: string): readonly string[] {
  const [region = "", zone, ...rest] = locality.split("/");
  if (zone === undefined) return [region];
  return rest.length === 0 ? [region, zone] : [region, zone, rest.join("/")];
}

function checkFailover(
  { failover, failoverPriority }: Pick<LocalitySetting, "failover" | "failoverPriority">,
  path: ObjectPath,
  ejects: boolean,
  faults: FaultList,
): void {
  if (failover.length + failoverPriority.length > 0 && !ejects)
    faults.warning(path, "fails over only with outlierDetection, which is not there");
  for (const [index, { from, to }] of failover.entries()) {
    const at = [...path, "failover", index];
    if (from === to) faults.error(at, "must name two different regions");
    if (from.includes("/") || to.includes("/")) faults.error(at, "takes regions only, without zones");
    if (from.includes("*") || to.includes("*")) faults.error(at, "takes no wildcards");
  }
}
