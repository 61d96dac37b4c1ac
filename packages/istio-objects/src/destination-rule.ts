import type { ConfigObject } from "@signalbox/model";
import { checkTrafficPolicy } from "./destination-rule/traffic-policy.ts";
import { checkRuleExportTo } from "./export-to.ts";
import { FaultList, type Checked } from "./fault.ts";
import { labelFault, wildcardHostFault } from "./names.ts";
import { readDestinationRule, type DestinationRule } from "./schema/destination-rule.ts";
import { checkLabels } from "./workload-entry.ts";

/**
 * Reads and checks `spec` of a DestinationRule by the rules of Istio's admission. Paths begin with `spec`. Whether the host and its endpoints
 * are there is not asked: that takes more than one object.
 */
export function checkDestinationRule(object: Pick<ConfigObject, "spec" | "namespace">): Checked<DestinationRule> {
  const faults = new FaultList();
  const value = readDestinationRule(object.spec, ["spec"], faults);
  const { exportTo, host, trafficPolicy, workloadSelector } = value;
  const fault = wildcardHostFault(host);
  if (fault !== undefined) faults.error(["spec", "host"], fault);
  checkTrafficPolicy(trafficPolicy, ["spec", "trafficPolicy"], object.namespace, faults);
  checkSubsets(value, object.namespace, faults);
  checkRuleExportTo(exportTo, object.namespace, faults, { ownOnly: workloadSelector !== undefined });
  checkSelector(workloadSelector, faults);
  return { value, faults: faults.faults };
}

function checkSubsets({ subsets }: DestinationRule, namespace: string, faults: FaultList): void {
  const names = new Set<string>();
  for (const [index, { labels, name, trafficPolicy }] of subsets.entries()) {
    const at = ["spec", "subsets", index];
    const fault = name === "" ? "is required" : labelFault(name);
    if (fault !== undefined) faults.error([...at, "name"], fault);
    else if (names.has(name)) faults.error([...at, "name"], `another subset is named "${name}"`);
    names.add(name);
    checkLabels(labels, [...at, "labels"], faults);
    checkTrafficPolicy(trafficPolicy, [...at, "trafficPolicy"], namespace, faults);
  }
}

function checkSelector(selector: DestinationRule["workloadSelector"], faults: FaultList): void {
  if (selector === undefined) return;
  const at = ["spec", "workloadSelector"];
  const labels = Object.entries(selector.matchLabels);
  if (labels.length === 0) faults.warning(at, "has no labels, so it selects every workload of the namespace");
  for (const [key, value] of labels) {
    if (key === "") faults.error([...at, "matchLabels", key], "a label needs a key", "key");
    if (key.includes("*") || value.includes("*"))
      faults.error([...at, "matchLabels", key], "wildcards do not work in a selector");
  }
}
