import type { ConfigObject } from "@signalbox/model";
import { checkInboundPool } from "./connection-pool.ts";
import { FaultList, type Checked } from "./fault.ts";
import { hostFault, labelFault, portFault } from "./names.ts";
import { readSidecar, type Sidecar } from "./schema/sidecar.ts";
import { checkLabelSelector } from "./selectors.ts";
import { checkEgress } from "./sidecar-egress.ts";
import { checkIngress } from "./sidecar-ingress.ts";

/** Reads and checks `spec` of a Sidecar by the rules of Istio's API reference and admission. Paths begin with `spec`. */
export function checkSidecar(object: Pick<ConfigObject, "spec" | "namespace">): Checked<Sidecar> {
  const faults = new FaultList();
  const value = readSidecar(object.spec, ["spec"], faults);
  if (value.workloadSelector !== undefined) {
    checkLabelSelector(value.workloadSelector.labels, ["spec", "workloadSelector"], "labels", faults);
  }
  const saysNothing =
    value.egress.length === 0 &&
    value.ingress.length === 0 &&
    value.outboundTrafficPolicy === undefined &&
    value.inboundConnectionPool === undefined;
  if (saysNothing) {
    faults.error(["spec"], "needs ingress, egress, outboundTrafficPolicy or inboundConnectionPool");
  }
  checkIngress(value.ingress, faults);
  if (value.inboundConnectionPool !== undefined) {
    checkInboundPool(value.inboundConnectionPool, ["spec", "inboundConnectionPool"], faults);
  }
  checkEgress(value.egress, object.namespace, faults);
  checkOutboundPolicy(value.outboundTrafficPolicy, faults);
  return { value, faults: faults.faults };
}

function checkOutboundPolicy(policy: Sidecar["outboundTrafficPolicy"], faults: FaultList): void {
  const proxy = policy?.egressProxy;
  if (policy === undefined || proxy === undefined) return;
  const at = ["spec", "outboundTrafficPolicy", "egressProxy"];
  if (policy.mode !== "ALLOW_ANY") {
    faults.error(at, "needs mode ALLOW_ANY: it takes what no service is known for");
    return;
  }
  const host = hostFault(proxy.host);
  if (host !== undefined) faults.error([...at, "host"], host);
  const subset = proxy.subset === "" ? undefined : labelFault(proxy.subset);
  if (subset !== undefined) faults.error([...at, "subset"], subset);
  const port = proxy.port === undefined ? "is required" : portFault(proxy.port.number);
  if (port !== undefined) faults.error([...at, "port"], port);
}
