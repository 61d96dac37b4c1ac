import type { ConfigObject } from "@signalbox/model";
import { FaultList, type Checked } from "./fault.ts";
import { readProxyConfig, type ProxyConfig } from "./schema/telemetry.ts";
import { checkAttachment } from "./selectors.ts";

/** Reads and checks `spec` of a ProxyConfig by the rules of Istio's API reference and admission. Paths begin with `spec`. */
export function checkProxyConfig(object: Pick<ConfigObject, "spec">): Checked<ProxyConfig> {
  const faults = new FaultList();
  const value = readProxyConfig(object.spec, ["spec"], faults);
  checkAttachment({ selector: value.selector }, ["spec"], faults);
  if ((value.concurrency ?? 0) < 0) faults.error(["spec", "concurrency"], "must be at least 0");
  return { value, faults: faults.faults };
}
