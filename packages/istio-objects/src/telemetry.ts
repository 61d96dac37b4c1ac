import type { ConfigObject } from "@signalbox/model";
import { FaultList, type Checked, type ObjectPath } from "./fault.ts";
import { readTelemetry, type Telemetry } from "./schema/telemetry.ts";
import { checkAttachment } from "./selectors.ts";

/**
 * Reads and checks `spec` of a Telemetry by the rules of Istio's API reference and admission. Paths begin with `spec`. Filters of access
 * logs are expressions of CEL, which are not compiled here.
 */
export function checkTelemetry(object: Pick<ConfigObject, "spec">): Checked<Telemetry> {
  const faults = new FaultList();
  const value = readTelemetry(object.spec, ["spec"], faults);
  checkAttachment(value, ["spec"], faults);
  for (const [index, metrics] of value.metrics.entries()) checkMetrics(metrics, ["spec", "metrics", index], faults);
  if (value.tracing.length > 1) faults.warning(["spec", "tracing"], "only the first one has an effect");
  for (const [index, tracing] of value.tracing.entries()) checkTracing(tracing, ["spec", "tracing", index], faults);
  for (const [index, logging] of value.accessLogging.entries()) {
    checkProviders(logging.providers, ["spec", "accessLogging", index], faults);
  }
  return { value, faults: faults.faults };
}

function checkProviders(providers: readonly { readonly name: string }[], path: ObjectPath, faults: FaultList): void {
  for (const [index, { name }] of providers.entries()) {
    if (name === "") faults.error([...path, "providers", index, "name"], "is required");
  }
}

function checkTracing(tracing: Telemetry["tracing"][number], path: ObjectPath, faults: FaultList): void {
  const { providers, randomSamplingPercentage: percentage = 0, customTags } = tracing;
  if (providers.length > 1) faults.warning([...path, "providers"], "only the first one has an effect");
  checkProviders(providers, path, faults);
  if (percentage < 0 || percentage > 100) {
    faults.error([...path, "randomSamplingPercentage"], "must be 0 to 100");
  }
  for (const [name, tag] of Object.entries(customTags)) {
    const at = [...path, "customTags", name];
    if (name === "") faults.error(at, "a tag needs a name", "key");
    if (tag.literal?.value === "") faults.error([...at, "literal", "value"], "is required");
    if (tag.header?.name === "") faults.error([...at, "header", "name"], "is required");
    if (tag.environment?.name === "") faults.error([...at, "environment", "name"], "is required");
  }
}

function checkMetrics(metrics: Telemetry["metrics"][number], path: ObjectPath, faults: FaultList): void {
  checkProviders(metrics.providers, path, faults);
  for (const [index, override] of metrics.overrides.entries()) {
    const at = [...path, "overrides", index];
    for (const [name, tag] of Object.entries(override.tagOverrides)) {
      const place = [...at, "tagOverrides", name];
      if (name === "") faults.warning(place, "a tag needs a name");
      if (tag.operation === "UPSERT" && tag.value === "") {
        faults.error([...place, "value"], "operation UPSERT needs it");
      }
      if (tag.operation === "REMOVE" && tag.value !== "") {
        faults.error([...place, "value"], "operation REMOVE does not take it");
      }
    }
    if (override.match?.customMetric === "") faults.error([...at, "match", "customMetric"], "must not be empty");
  }
}
