import type { ConfigObject } from "@signalbox/model";
import { FaultList, type Checked } from "./fault.ts";
import { isObject } from "./proto-json.ts";
import { readPeerAuthentication, type PeerAuthentication } from "./schema/security.ts";
import { checkAttachment } from "./selectors.ts";

/** Reads and checks `spec` of a PeerAuthentication by the rules of Istio's API reference and admission. Paths begin with `spec`. */
export function checkPeerAuthentication(object: Pick<ConfigObject, "spec">): Checked<PeerAuthentication> {
  const faults = new FaultList();
  const value = readPeerAuthentication(object.spec, ["spec"], faults);
  checkAttachment({ selector: value.selector }, ["spec"], faults);
  const at = ["spec", "portLevelMtls"];
  const ports = Object.keys(value.portLevelMtls);
  if (ports.length > 0 && Object.keys(value.selector?.matchLabels ?? {}).length === 0) {
    faults.error(at, "needs a selector with labels: ports belong to workloads");
  }
  for (const port of ports) {
    if (!/^[0-9]+$/.test(port) || Number(port) < 1 || Number(port) > 65_535) {
      faults.error([...at, port], `"${port}" is not a port in 1..65535`, "key");
    }
  }
  if (ports.length === 0 && saysPorts(object.spec)) faults.error(at, "must have a port, or be left out");
  return { value, faults: faults.faults };
}

/** An empty map is another thing than none, which the reader does not tell apart. */
function saysPorts(spec: unknown): boolean {
  return isObject(spec) && (isObject(spec["portLevelMtls"]) || isObject(spec["port_level_mtls"]));
}
