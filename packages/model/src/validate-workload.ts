import { isHostname, isIpAddress } from "./address.ts";
import { FaultList, show } from "./faults.ts";
import type { RecordFault } from "./faults.ts";
import { isSocketPath, maxWeight, tlsModes } from "./validate.ts";
import type { ConfigObject, Workload } from "./workload.ts";

const phases: ReadonlySet<unknown> = new Set<Workload["phase"]>([
  "PENDING",
  "READY",
  "NOT_READY",
  "TERMINATING",
  "FAILED",
]);
const workloadMembers: ReadonlySet<string> = new Set([
  "key",
  "addresses",
  "hostNetwork",
  "ports",
  "namedPorts",
  "weight",
  "tls",
  "phase",
  "labels",
  "owner",
  "serviceAccount",
  "node",
  "locality",
  "network",
  "startedAt",
  "provenance",
]);
const objectMembers: ReadonlySet<string> = new Set([
  "kind",
  "namespace",
  "name",
  "labels",
  "annotations",
  "createdAt",
  "spec",
  "provenance",
]);

/** Checks one workload against the model's bounds, as `validateRecord` does for a record. Accepts any junk without throwing. */
export function validateWorkload(workload: Workload): readonly RecordFault[] {
  const list = new FaultList();
  const value = list.object(workload, "");
  if (value === undefined) return list.faults;
  const key = list.nonEmpty(value["key"], "key");
  // An empty cluster or namespace is a VM's; the name is what a workload must have.
  if (key !== undefined && !/^[^/]*\/[^/]*\/./s.test(key))
    list.add("key", `${show(key)} is not <cluster>/<namespace>/<name>`);
  list.list(value["addresses"], "addresses").forEach((address, index) => {
    if (typeof address !== "string" || !isWorkloadAddress(address))
      list.add(`addresses[${index}]`, `${show(address)} is neither an IP address, a hostname nor unix://<path>`);
  });
  list.boolean(value["hostNetwork"], "hostNetwork");
  list.list(value["ports"], "ports").forEach((port, index) => list.port(port, `ports[${index}]`));
  checkNamedPorts(list, value["namedPorts"]);
  if (value["weight"] !== undefined) list.integer(value["weight"], "weight", 0, maxWeight);
  if (value["tls"] !== undefined) list.oneOf(value["tls"], "tls", tlsModes);
  list.oneOf(value["phase"], "phase", phases);
  list.labels(value["labels"], "labels");
  for (const member of ["owner", "serviceAccount", "node", "network"]) list.text(value[member], member);
  list.locality(value["locality"], "locality");
  list.time(value["startedAt"], "startedAt");
  list.provenance(value["provenance"], "provenance");
  list.unknownMembers(value, "", workloadMembers);
  return list.faults;
}

/**
 * Checks the frame of an Istio object: its names, labels and provenance, and that its `spec` is plain data.
 * What the spec says is for `@signalbox/istio-objects` to judge.
 */
export function validateObject(object: ConfigObject): readonly RecordFault[] {
  const list = new FaultList();
  const value = list.object(object, "");
  if (value === undefined) return list.faults;
  for (const member of ["kind", "name"]) {
    if (list.nonEmpty(value[member], member)?.includes("/") === true) list.add(member, "must not contain a slash");
  }
  list.text(value["namespace"], "namespace");
  list.labels(value["labels"], "labels");
  list.labels(value["annotations"], "annotations");
  list.time(value["createdAt"], "createdAt");
  if (value["spec"] !== undefined) list.plainData(value["spec"], "spec");
  list.provenance(value["provenance"], "provenance");
  list.unknownMembers(value, "", objectMembers);
  return list.faults;
}

function checkNamedPorts(list: FaultList, value: unknown): void {
  if (value === undefined) return;
  const ports = list.object(value, "namedPorts");
  for (const [name, port] of Object.entries(ports ?? {})) list.port(port, `namedPorts.${name}`);
}

function isWorkloadAddress(address: string): boolean {
  if (address.startsWith("unix://")) return isSocketPath(address.slice("unix://".length));
  return isIpAddress(address) || isHostname(address);
}
