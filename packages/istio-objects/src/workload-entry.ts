import type { ConfigObject } from "@signalbox/model";
import { FaultList, type Checked, type ObjectPath } from "./fault.ts";
import { hostFault, isIpAddress, labelFault, labelKeyFault, labelValueFault, portFault, socketFault } from "./names.ts";
import { mapOf, message, text, uint32, type ValueOf } from "./proto-json.ts";

/** What the address of a Unix socket begins with. */
export const socketPrefix = "unix://";

/** Reads `spec` of a WorkloadEntry, and an endpoint of a ServiceEntry. */
export const readWorkloadEntry = message({
  address: text,
  ports: mapOf(uint32),
  labels: mapOf(text),
  network: text,
  locality: text,
  weight: uint32,
  serviceAccount: text,
});

/** `spec` of a WorkloadEntry: one workload, by address. Every field has its default where it was absent. */
export type WorkloadEntry = ValueOf<typeof readWorkloadEntry>;

/** Reads and checks `spec` of a WorkloadEntry. Paths begin with `spec`. */
export function checkWorkloadEntry(object: Pick<ConfigObject, "spec">): Checked<WorkloadEntry> {
  const faults = new FaultList();
  const value = readWorkloadEntry(object.spec, ["spec"], faults);
  checkAddress(value, ["spec"], "ip-or-host", faults);
  checkPorts(value, ["spec"], undefined, faults);
  checkLabels(value.labels, ["spec", "labels"], faults);
  return { value, faults: faults.faults };
}

/** Checks the address of a workload. An empty one is allowed where a network says how the workload is reached. */
export function checkAddress(
  entry: WorkloadEntry,
  path: ObjectPath,
  form: "ip" | "ip-or-host",
  faults: FaultList,
): void {
  const { address, network } = entry;
  const at = [...path, "address"];
  if (address === "") {
    if (network === "") faults.error(at, "is required");
    else faults.warning(at, `is not set, so the workload is only reached through the gateways of network "${network}"`);
  } else if (address.startsWith(socketPrefix)) {
    const fault = socketFault(address.slice(socketPrefix.length));
    if (fault !== undefined) faults.error(at, fault);
    if (Object.keys(entry.ports).length > 0) faults.error([...path, "ports"], "a Unix socket has no ports");
  } else if (!isIpAddress(address)) {
    if (form === "ip") faults.error(at, `"${address}" is not an IP address, which resolution STATIC needs`);
    else if (hostFault(address) !== undefined)
      faults.error(at, `"${address}" is neither an IP address nor a host name`);
  }
}

/** Checks the ports of a workload; their names must be among those of the service where one is given. */
export function checkPorts(
  entry: WorkloadEntry,
  path: ObjectPath,
  servicePorts: ReadonlySet<string> | undefined,
  faults: FaultList,
): void {
  for (const [name, port] of Object.entries(entry.ports)) {
    const at = [...path, "ports", name];
    if (servicePorts !== undefined && !servicePorts.has(name)) {
      faults.error(at, `the service has no port named "${name}"`, "key");
    }
    const nameFault = labelFault(name);
    if (nameFault !== undefined) faults.error(at, nameFault, "key");
    const fault = portFault(port);
    if (fault !== undefined) faults.error(at, fault);
  }
}

/** Checks keys and values of labels. */
export function checkLabels(labels: Readonly<Record<string, string>>, path: ObjectPath, faults: FaultList): void {
  for (const [key, value] of Object.entries(labels)) {
    const keyFault = labelKeyFault(key);
    if (keyFault !== undefined) faults.error([...path, key], keyFault, "key");
    const valueFault = labelValueFault(value);
    if (valueFault !== undefined) faults.error([...path, key], valueFault);
  }
}
