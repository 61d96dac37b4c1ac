import {
  canonicalIp,
  instanceKey,
  parseLocality,
  parseProtocol,
  type Address,
  type ConfigObject,
  type Locality,
  type Port,
  type ServiceInstance,
  type ServiceRecord,
  type Service,
} from "@signalbox/model";
import { isIpAddress } from "./names.ts";
import { checkServiceEntry, type ServiceEntry, type ServiceEntryPort } from "./service-entry.ts";
import { socketPrefix, type WorkloadEntry } from "./workload-entry.ts";

const tlsModeLabel = "security.istio.io/tlsMode";
const localityLabel = "istio-locality";

/**
 * The services of a ServiceEntry, one for each host, each with all addresses and with its instances: endpoints × ports.
 * With resolution DNS or DNS_ROUND_ROBIN and no endpoints, the host itself is the endpoint. A service with a workload selector has no instances
 * here: whoever knows the workloads adds them. An endpoint without an address (reached through its network's gateways) is left out.
 * Reads what it can and never throws; check the object first.
 */
export function serviceEntryToRecords(
  object: ConfigObject,
  entry: ServiceEntry = checkServiceEntry(object).value,
): readonly ServiceRecord[] {
  const hosts = new Map(entry.hosts.map((host) => [host.toLowerCase(), host]));
  return [...hosts.values()].map((hostname) => {
    const service = serviceOf(object, entry, hostname);
    return { service, instances: instancesOf(object, entry, hostname) };
  });
}

function serviceOf(object: ConfigObject, entry: ServiceEntry, hostname: string): Service {
  const { createdAt, provenance, labels, namespace } = object;
  return {
    hostname,
    namespace,
    ports: entry.ports.map(portOf),
    resolution: entry.resolution,
    addresses: entry.addresses.map(withoutFullPrefix),
    labels,
    meshExternal: entry.location === "MESH_EXTERNAL",
    exportTo: entry.exportTo,
    ...(entry.workloadSelector === undefined ? {} : { workloadSelector: entry.workloadSelector.labels }),
    serviceAccounts: entry.subjectAltNames,
    ...(createdAt === undefined ? {} : { createdAt }),
    provenance,
  };
}

function portOf({ name, number, protocol, targetPort }: ServiceEntryPort): Port {
  const port = { name, number, protocol: parseProtocol(protocol) };
  return targetPort === 0 || targetPort === number ? port : { ...port, targetPort };
}

function instancesOf(object: ConfigObject, entry: ServiceEntry, hostname: string): readonly ServiceInstance[] {
  const { endpoints = [], resolution } = entry;
  if (resolution === "NONE" || resolution === "DYNAMIC_DNS" || entry.workloadSelector !== undefined) return [];
  const byName = resolution === "DNS" || resolution === "DNS_ROUND_ROBIN";
  const instances = new Map<string, ServiceInstance>();
  for (const port of entry.ports) {
    const ownHost = byName && endpoints.length === 0;
    for (const endpoint of ownHost ? [hostAsEndpoint(hostname)] : endpoints) {
      const address = addressOf(endpoint, port);
      if (address === undefined) continue;
      const instance = instanceOf(object, endpoint, port.name, address);
      // The same address twice is one endpoint: the first one says how it is reached.
      if (!instances.has(instance.id)) instances.set(instance.id, instance);
    }
  }
  return [...instances.values()];
}

function instanceOf(
  object: ConfigObject,
  endpoint: WorkloadEntry,
  servicePort: string,
  address: Address,
): ServiceInstance {
  return {
    id: `${servicePort}/${instanceKey(address)}`,
    servicePort,
    addresses: [address],
    labels: endpoint.labels,
    locality: localityOf(endpoint),
    network: endpoint.network,
    serviceAccount: endpoint.serviceAccount,
    tls: tlsOf(endpoint),
    healthStatus: "HEALTHY",
    weight: endpoint.weight || 1,
    ...(object.createdAt === undefined ? {} : { registeredAt: object.createdAt }),
    provenance: object.provenance,
  };
}

/** Where an endpoint serves a port: its own port of that name, else the service's target port, else the service's port. */
function addressOf(endpoint: WorkloadEntry, port: ServiceEntryPort): Address | undefined {
  const { address } = endpoint;
  if (address === "") return undefined;
  if (address.startsWith(socketPrefix)) return { type: "unix", path: address.slice(socketPrefix.length) };
  const own = Object.hasOwn(endpoint.ports, port.name) ? endpoint.ports[port.name] : undefined;
  const number = own || port.targetPort || port.number;
  if (isIpAddress(address)) return { type: "ip", ip: canonicalIp(address), port: number };
  return { type: "hostname", hostname: address, port: number };
}

/** Whether an endpoint speaks the mesh's mutual TLS: by its label, else when it has a service account. */
export function tlsOf(endpoint: WorkloadEntry): "disabled" | "istio" {
  if (Object.hasOwn(endpoint.labels, tlsModeLabel))
    return endpoint.labels[tlsModeLabel] === "istio" ? "istio" : "disabled";
  return endpoint.serviceAccount === "" ? "disabled" : "istio";
}

/** The locality of an endpoint: its field, else its label, whose parts may be parted by dots. */
export function localityOf(endpoint: WorkloadEntry): Locality {
  const label = Object.hasOwn(endpoint.labels, localityLabel) ? (endpoint.labels[localityLabel] ?? "") : "";
  const written = endpoint.locality || (label.includes("/") ? label : label.replaceAll(".", "/"));
  return parseLocality(written);
}

function hostAsEndpoint(address: string): WorkloadEntry {
  return { address, ports: {}, labels: {}, network: "", locality: "", weight: 0, serviceAccount: "" };
}

/** A block of one address is that address. */
function withoutFullPrefix(address: string): string {
  const [ip = "", bits] = address.split("/");
  return bits === (ip.includes(":") ? "128" : "32") ? ip : address;
}
