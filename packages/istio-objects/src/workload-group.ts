import type { ConfigObject } from "@signalbox/model";
import { FaultList, type Checked } from "./fault.ts";
import { portFault } from "./names.ts";
import { readWorkloadGroup, type WorkloadGroup } from "./schema/workload-group.ts";
import { checkLabels } from "./workload-entry.ts";

/** Reads and checks `spec` of a WorkloadGroup by the rules of Istio's API reference and admission. Paths begin with `spec`. */
export function checkWorkloadGroup(object: Pick<ConfigObject, "spec">): Checked<WorkloadGroup> {
  const faults = new FaultList();
  const value = readWorkloadGroup(object.spec, ["spec"], faults);
  // What the template lacks, its workloads add when they register: nothing in it is required.
  if (value.template === undefined) faults.error(["spec", "template"], "is required");
  if (value.metadata !== undefined) checkLabels(value.metadata.labels, ["spec", "metadata", "labels"], faults);
  if (value.probe !== undefined) checkProbe(value.probe, faults);
  return { value, faults: faults.faults };
}

function checkProbe(probe: NonNullable<WorkloadGroup["probe"]>, faults: FaultList): void {
  const at = ["spec", "probe"];
  const counts = [
    "initialDelaySeconds",
    "timeoutSeconds",
    "periodSeconds",
    "successThreshold",
    "failureThreshold",
  ] as const;
  for (const field of counts) {
    if (probe[field] < 0) faults.error([...at, field], "must be at least 0");
  }
  const { httpGet, tcpSocket, exec, grpc } = probe;
  if (httpGet !== undefined) {
    checkPort(httpGet.port, "httpGet", faults);
    if (!["", "HTTP", "HTTPS"].includes(httpGet.scheme)) {
      faults.error([...at, "httpGet", "scheme"], `"${httpGet.scheme}" is neither HTTP nor HTTPS`);
    }
    for (const [index, { name }] of httpGet.httpHeaders.entries()) {
      if (!/^[-A-Za-z0-9]+$/.test(name)) {
        faults.error([...at, "httpGet", "httpHeaders", index, "name"], `"${name}" is not the name of a header`);
      }
    }
  } else if (tcpSocket !== undefined) {
    checkPort(tcpSocket.port, "tcpSocket", faults);
  } else if (exec !== undefined) {
    if (exec.command.length === 0) faults.error([...at, "exec", "command"], "is required");
  } else if (grpc !== undefined) {
    faults.rejected([...at, "grpc"], "Istio's admission does not know it");
  } else {
    faults.error(at, "needs httpGet, tcpSocket or exec");
  }
}

function checkPort(port: number, probe: string, faults: FaultList): void {
  const fault = portFault(port);
  if (fault !== undefined) faults.error(["spec", "probe", probe, "port"], fault);
}
