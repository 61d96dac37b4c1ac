import { parseProtocol, type ConfigObject } from "@signalbox/model";
import { FaultList, type Checked } from "./fault.ts";
import { hostFault, isIpAddress, labelFault, portFault, subnetFault, wildcardHostFault } from "./names.ts";
import { enumOf, listOf, mapOf, message, optional, text, uint32, type ValueOf } from "./proto-json.ts";
import { protocolFault } from "./protocols.ts";
import { checkAddress, checkLabels, checkPorts, readWorkloadEntry, socketPrefix } from "./workload-entry.ts";

/** Reads the fields of a ServiceEntry. */
export const readServiceEntry = message({
  hosts: listOf(text),
  addresses: listOf(text),
  ports: listOf(message({ number: uint32, protocol: text, name: text, targetPort: uint32 })),
  location: enumOf("MESH_EXTERNAL", "MESH_INTERNAL"),
  resolution: enumOf("NONE", "STATIC", "DNS", "DNS_ROUND_ROBIN", "DYNAMIC_DNS"),
  endpoints: optional(listOf(readWorkloadEntry)),
  workloadSelector: optional(message({ labels: mapOf(text) })),
  exportTo: listOf(text),
  subjectAltNames: listOf(text),
});

/** `spec` of a ServiceEntry. Every field has its default where it was absent, as protobuf gives it. */
export type ServiceEntry = ValueOf<typeof readServiceEntry>;

/** One port of a ServiceEntry. */
export type ServiceEntryPort = ServiceEntry["ports"][number];

/**
 * Reads and checks `spec` of a ServiceEntry by the rules of Istio's API reference and admission. Paths begin with `spec`.
 * What Istio refuses at admission but would serve if it were stored has the severity `rejected`.
 */
export function checkServiceEntry(object: Pick<ConfigObject, "spec" | "namespace" | "labels">): Checked<ServiceEntry> {
  const faults = new FaultList();
  const entry = readServiceEntry(object.spec, ["spec"], faults);
  checkHosts(entry, faults);
  checkAddresses(entry, faults);
  checkServicePorts(entry, object, faults);
  checkSelector(entry, faults);
  checkResolution(entry, faults);
  if (entry.resolution === "DYNAMIC_DNS") checkDynamicDns(entry, object, faults);
  checkTellingHostsApart(entry, faults);
  checkExportTo(entry.exportTo, object.namespace, faults);
  return { value: entry, faults: faults.faults };
}

function checkHosts(entry: ServiceEntry, faults: FaultList): void {
  if (entry.hosts.length === 0) faults.error(["spec", "hosts"], "at least one host is required");
  for (const [index, host] of entry.hosts.entries()) {
    const at = ["spec", "hosts", index];
    const fault = host === "*" ? "a host must not be * alone" : wildcardHostFault(host);
    if (fault !== undefined) {
      faults.error(at, fault);
    } else if (host.includes("*") && !host.startsWith("*.") && entry.resolution !== "DYNAMIC_DNS") {
      faults.warning(at, `"${host}" has a wildcard that is not a whole label`);
    }
  }
}

function checkAddresses(entry: ServiceEntry, faults: FaultList): void {
  const blocksFit = entry.resolution === "NONE" || entry.resolution === "STATIC";
  for (const [index, address] of entry.addresses.entries()) {
    const at = ["spec", "addresses", index];
    const fault = subnetFault(address);
    if (fault !== undefined) faults.error(at, fault);
    if (!blocksFit && address.includes("/")) {
      faults.error(at, `a CIDR block needs resolution NONE or STATIC, not ${entry.resolution}`);
    }
  }
}

function checkServicePorts(entry: ServiceEntry, object: Pick<ConfigObject, "labels">, faults: FaultList): void {
  const names = new Set<string>();
  const numbers = new Set<number>();
  const optedOut = object.labels["networking.istio.io/enable-autoallocate-ip"]?.toLowerCase() === "false";
  const needsAddress = entry.addresses.length === 0 && (entry.resolution === "NONE" || optedOut);
  for (const [index, port] of entry.ports.entries()) {
    const at = ["spec", "ports", index];
    if (names.has(port.name)) faults.error([...at, "name"], `another port is named "${port.name}"`);
    if (numbers.has(port.number)) faults.error([...at, "number"], `another port has the number ${port.number}`);
    names.add(port.name);
    numbers.add(port.number);
    const nameFault = labelFault(port.name);
    if (nameFault !== undefined) faults.error([...at, "name"], nameFault);
    const numberFault = portFault(port.number);
    if (numberFault !== undefined) faults.error([...at, "number"], numberFault);
    const targetFault = port.targetPort === 0 ? undefined : portFault(port.targetPort);
    if (targetFault !== undefined) faults.error([...at, "targetPort"], targetFault);
    const protocol = port.protocol === "" ? undefined : protocolFault(port.protocol);
    if (protocol !== undefined) faults.error([...at, "protocol"], protocol);
    if (needsAddress && (port.protocol === "" || port.protocol === "TCP")) {
      faults.warning(at, "a TCP port is only told apart by address: give the service an address");
    }
  }
}

function checkSelector(entry: ServiceEntry, faults: FaultList): void {
  const { workloadSelector: selector } = entry;
  if (selector === undefined) return;
  const at = ["spec", "workloadSelector"];
  if (entry.endpoints !== undefined) faults.error(at, "cannot stand beside endpoints: the workloads are the endpoints");
  if (entry.resolution === "NONE") faults.warning(at, "has no effect with resolution NONE");
  if (Object.keys(selector.labels).length === 0)
    faults.warning(at, "has no labels, so it selects every workload of the namespace");
  for (const [key, value] of Object.entries(selector.labels)) {
    if (key === "") faults.error([...at, "labels", key], "a label needs a key", "key");
    if (key.includes("*") || value.includes("*"))
      faults.error([...at, "labels", key], "wildcards do not work in a selector");
  }
}

function checkResolution(entry: ServiceEntry, faults: FaultList): void {
  const { resolution, hosts, endpoints = [] } = entry;
  const at = ["spec", "endpoints"];
  if (resolution === "NONE" && endpoints.length > 0) {
    faults.error(at, "resolution NONE takes no endpoints: traffic goes to the address it was sent to");
  }
  if (resolution === "DNS_ROUND_ROBIN" && endpoints.length > 1) {
    faults.error(at, "resolution DNS_ROUND_ROBIN takes one endpoint at most");
  }
  const byName = resolution === "DNS" || resolution === "DNS_ROUND_ROBIN";
  if (byName && endpoints.length === 0) {
    for (const [index, host] of hosts.entries()) {
      if (hostFault(host) === undefined || wildcardHostFault(host) !== undefined) continue;
      faults.error(
        ["spec", "hosts", index],
        `"${host}" cannot be resolved: resolution ${resolution} needs endpoints or whole host names`,
      );
    }
  }
  const names = new Set(entry.ports.map((port) => port.name));
  if (resolution === "STATIC" || byName) {
    for (const [index, endpoint] of endpoints.entries()) {
      const place = [...at, index];
      if (resolution === "STATIC") checkAddress(endpoint, place, "ip", faults);
      else if (!isIpAddress(endpoint.address) && hostFault(endpoint.address) !== undefined) {
        faults.error([...place, "address"], `"${endpoint.address}" is neither an IP address nor a host name`);
      }
      checkPorts(endpoint, place, names, faults);
      checkLabels(endpoint.labels, [...place, "labels"], faults);
      if (endpoint.address.startsWith(socketPrefix) && names.size !== 1) {
        faults.error([...place, "address"], "a Unix socket serves exactly one port, so the service must have one");
      }
    }
  }
  if (byName && entry.addresses.length > 0 && hosts.length > 1) {
    const index = entry.ports.findIndex((port) => isOverTcp(port.protocol));
    if (index >= 0) {
      faults.warning(
        ["spec", "ports", index],
        "several hosts share the addresses, and this port cannot tell them apart",
      );
    }
  }
}

function checkDynamicDns(entry: ServiceEntry, object: Pick<ConfigObject, "labels">, faults: FaultList): void {
  for (const [index, host] of entry.hosts.entries()) {
    if (!host.startsWith("*")) faults.error(["spec", "hosts", index], "resolution DYNAMIC_DNS needs wildcard hosts");
  }
  if (entry.addresses.length > 0) faults.error(["spec", "addresses"], "resolution DYNAMIC_DNS takes no addresses");
  if ((entry.endpoints ?? []).length > 0)
    faults.error(["spec", "endpoints"], "resolution DYNAMIC_DNS takes no endpoints");
  for (const [index, port] of entry.ports.entries()) {
    if (!["HTTP", "HTTP2", "GRPC", "TLS"].includes(parseProtocol(port.protocol))) {
      faults.error(["spec", "ports", index, "protocol"], "resolution DYNAMIC_DNS works for HTTP, HTTP2, GRPC and TLS");
    }
  }
  const waypoint = object.labels["istio.io/use-waypoint"] ?? "";
  if (entry.location === "MESH_INTERNAL" && waypoint !== "" && waypoint.toLowerCase() !== "none") {
    faults.error(["spec", "location"], "resolution DYNAMIC_DNS within the mesh does not work with a waypoint");
  }
}

function checkTellingHostsApart(entry: ServiceEntry, faults: FaultList): void {
  if (entry.resolution === "NONE" || entry.hosts.length < 2) return;
  const index = entry.ports.findIndex(({ protocol }) => !hasHostName(protocol));
  if (index < 0) return;
  faults.rejected(["spec", "ports", index], "several hosts need ports of HTTP or TLS, which carry the host's name");
}

function checkExportTo(exportTo: readonly string[], namespace: string, faults: FaultList): void {
  const seen = new Set<string>();
  for (const [index, target] of exportTo.entries()) {
    const at = ["spec", "exportTo", index];
    const name = target === "." ? namespace : target;
    if (seen.has(name)) faults.error(at, `"${target}" is named twice`);
    seen.add(name);
    const fault = target === "." || target === "*" || target === "~" ? undefined : labelFault(target);
    if (fault !== undefined) faults.error(at, fault);
  }
  for (const alone of ["*", "~"]) {
    if (seen.has(alone) && exportTo.length > 1) faults.error(["spec", "exportTo"], `"${alone}" must stand alone`);
  }
}

/** Whether requests of the protocol carry the name of the host: HTTP's authority or TLS's server name. */
function hasHostName(protocol: string): boolean {
  const parsed = parseProtocol(protocol);
  return ["HTTP", "HTTP2", "GRPC", "GRPC-WEB", "HTTPS", "TLS"].includes(parsed);
}

function isOverTcp(protocol: string): boolean {
  return ["TCP", "HTTPS", "TLS", "MONGO", "REDIS", "MYSQL"].includes(parseProtocol(protocol));
}
