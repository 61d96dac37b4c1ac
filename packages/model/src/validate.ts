import { isCidr, isHostname, isIpAddress } from "./address.ts";
import { FaultList, show } from "./faults.ts";
import type { RecordFault } from "./faults.ts";
import type { Protocol, Resolution, ServiceInstance, ServiceRecord } from "./service.ts";
import type { HealthStatus } from "./service.ts";

/** Envoy's load-balancing weight is a uint32. */
export const maxWeight = 4_294_967_295;

const protocols: ReadonlySet<unknown> = new Set<Protocol>([
  "HTTP",
  "HTTP2",
  "GRPC",
  "GRPC-WEB",
  "HTTPS",
  "TLS",
  "TCP",
  "UDP",
  "MONGO",
  "MYSQL",
  "REDIS",
  "UNSUPPORTED",
]);

/** What an endpoint's addresses may be, by the resolution of its service: Envoy refuses a name where it wants an IP. */
const addressesOf: Readonly<Record<Resolution, ReadonlySet<unknown>>> = {
  STATIC: new Set(["ip", "unix"]),
  NONE: new Set(["ip", "unix"]),
  DNS: new Set(["ip", "hostname"]),
  DNS_ROUND_ROBIN: new Set(["ip", "hostname"]),
  DYNAMIC_DNS: new Set(["ip", "hostname"]),
  ALIAS: new Set(["ip", "hostname"]),
};
const resolutions: ReadonlySet<unknown> = new Set(Object.keys(addressesOf));
const healthStatuses: ReadonlySet<unknown> = new Set<HealthStatus>([
  "HEALTHY",
  "DEGRADED",
  "UNHEALTHY",
  "DRAINING",
  "TERMINATING",
  "UNKNOWN",
]);
/** How endpoints may be reached. */
export const tlsModes: ReadonlySet<unknown> = new Set<ServiceInstance["tls"]>(["disabled", "istio", "simple"]);

const serviceMembers: ReadonlySet<string> = new Set([
  "hostname",
  "namespace",
  "ports",
  "resolution",
  "addresses",
  "labels",
  "meshExternal",
  "exportTo",
  "workloadSelector",
  "serviceAccounts",
  "createdAt",
  "provenance",
]);
const portMembers: ReadonlySet<string> = new Set(["name", "number", "protocol", "targetPort"]);
const instanceMembers: ReadonlySet<string> = new Set([
  "id",
  "servicePort",
  "addresses",
  "labels",
  "locality",
  "network",
  "serviceAccount",
  "tls",
  "healthStatus",
  "weight",
  "registeredAt",
  "provenance",
]);

/**
 * Checks one record against the model's bounds. An empty list means that the record may cross the seam: what comes after
 * may rely on its types, ranges and uniqueness, and hashing it does not throw. Accepts any junk without throwing; says at
 * most 20 faults. Members that the model does not name pass if they are plain data.
 */
export function validateRecord(record: ServiceRecord): readonly RecordFault[] {
  const list = new FaultList();
  const value = list.object(record, "");
  if (value === undefined) return list.faults;
  const service = list.object(value["service"], "service");
  const instances = list.list(value["instances"], "instances");
  if (service === undefined) return list.faults;
  const ports = checkService(list, service);
  const ids = new Set<unknown>();
  instances.forEach((instance, index) => {
    checkInstance(list, instance, `instances[${index}]`, { ids, ports, resolution: service["resolution"] });
  });
  list.unknownMembers(value, "", new Set(["service", "instances"]));
  return list.faults;
}

/** Checks the service and returns the names of its ports. */
function checkService(list: FaultList, service: Readonly<Record<string, unknown>>): ReadonlySet<unknown> {
  const hostname = service["hostname"];
  if (typeof hostname !== "string" || !isHostname(hostname, { wildcard: true }))
    list.add("service.hostname", `${show(hostname)} is not a hostname`);
  const namespace = list.nonEmpty(service["namespace"], "service.namespace");
  if (namespace?.includes("/") === true) list.add("service.namespace", "must not contain a slash");
  list.oneOf(service["resolution"], "service.resolution", resolutions);
  list.list(service["addresses"], "service.addresses").forEach((address, index) => {
    if (typeof address !== "string" || !(isIpAddress(address) || isCidr(address)))
      list.add(`service.addresses[${index}]`, `${show(address)} is neither an IP address nor a CIDR`);
  });
  list.labels(service["labels"], "service.labels");
  list.boolean(service["meshExternal"], "service.meshExternal");
  list.texts(service["exportTo"], "service.exportTo");
  if (service["workloadSelector"] !== undefined) list.labels(service["workloadSelector"], "service.workloadSelector");
  list.texts(service["serviceAccounts"], "service.serviceAccounts");
  list.time(service["createdAt"], "service.createdAt");
  list.provenance(service["provenance"], "service.provenance");
  list.unknownMembers(service, "service", serviceMembers);
  return checkPorts(list, list.list(service["ports"], "service.ports"));
}

function checkPorts(list: FaultList, ports: readonly unknown[]): ReadonlySet<unknown> {
  const names = new Set<unknown>();
  const numbers = new Set<string>();
  ports.forEach((value, index) => {
    const path = `service.ports[${index}]`;
    const port = list.object(value, path);
    if (port === undefined) return;
    // One unnamed port is Kubernetes' normal case, so the empty name is a name.
    list.text(port["name"], `${path}.name`);
    if (names.has(port["name"])) list.add(`${path}.name`, `${show(port["name"])} is taken by another port`);
    names.add(port["name"]);
    list.port(port["number"], `${path}.number`);
    list.oneOf(port["protocol"], `${path}.protocol`, protocols);
    // TCP and UDP have a number space each: a DNS service serves 53 on both.
    const socket = `${port["protocol"] === "UDP" ? "udp" : "tcp"} ${show(port["number"])}`;
    if (numbers.has(socket)) list.add(`${path}.number`, `${show(port["number"])} is taken by another port`);
    numbers.add(socket);
    if (port["targetPort"] !== undefined) list.port(port["targetPort"], `${path}.targetPort`);
    list.unknownMembers(port, path, portMembers);
  });
  return names;
}

interface Surroundings {
  readonly ids: Set<unknown>;
  readonly ports: ReadonlySet<unknown>;
  readonly resolution: unknown;
}

function checkInstance(list: FaultList, value: unknown, path: string, { ids, ports, resolution }: Surroundings): void {
  const instance = list.object(value, path);
  if (instance === undefined) return;
  const id = list.nonEmpty(instance["id"], `${path}.id`);
  if (id !== undefined && ids.has(id)) list.add(`${path}.id`, `${show(id)} is taken by another instance`);
  ids.add(id);
  if (!ports.has(instance["servicePort"]))
    list.add(`${path}.servicePort`, `the service has no port named ${show(instance["servicePort"])}`);
  const addresses = list.list(instance["addresses"], `${path}.addresses`);
  if (addresses.length === 0) list.add(`${path}.addresses`, "must hold at least one address");
  addresses.forEach((address, index) => checkAddress(list, address, `${path}.addresses[${index}]`, resolution));
  list.labels(instance["labels"], `${path}.labels`);
  list.locality(instance["locality"], `${path}.locality`);
  list.text(instance["network"], `${path}.network`);
  list.text(instance["serviceAccount"], `${path}.serviceAccount`);
  list.oneOf(instance["tls"], `${path}.tls`, tlsModes);
  list.oneOf(instance["healthStatus"], `${path}.healthStatus`, healthStatuses);
  list.integer(instance["weight"], `${path}.weight`, 0, maxWeight);
  list.time(instance["registeredAt"], `${path}.registeredAt`);
  list.provenance(instance["provenance"], `${path}.provenance`);
  list.unknownMembers(instance, path, instanceMembers);
}

function checkAddress(list: FaultList, value: unknown, path: string, resolution: unknown): void {
  const address = list.object(value, path);
  if (address === undefined) return;
  const { type } = address;
  switch (type) {
    case "ip":
      if (typeof address["ip"] !== "string" || !isIpAddress(address["ip"]))
        list.add(`${path}.ip`, `${show(address["ip"])} is not an IP address`);
      list.port(address["port"], `${path}.port`);
      break;
    case "hostname":
      if (typeof address["hostname"] !== "string" || !isHostname(address["hostname"]))
        list.add(`${path}.hostname`, `${show(address["hostname"])} is not a hostname`);
      list.port(address["port"], `${path}.port`);
      break;
    case "unix":
      if (typeof address["path"] !== "string" || !isSocketPath(address["path"]))
        list.add(`${path}.path`, `${show(address["path"])} is neither an absolute path nor an abstract socket (@name)`);
      break;
    default:
      list.add(`${path}.type`, `${show(type)} is not one of ip, hostname, unix`);
      return;
  }
  if (resolutions.has(resolution) && !addressesOf[resolution as Resolution].has(type))
    list.add(`${path}.type`, `resolution ${String(resolution)} cannot have an endpoint with a ${type} address`);
  list.unknownMembers(address, path, addressMembers);
}

const addressMembers: ReadonlySet<string> = new Set(["type", "ip", "hostname", "path", "port"]);

/** Whether the text names a Unix socket: an absolute path, or an abstract name after `@`. Without NUL bytes. */
export function isSocketPath(path: string): boolean {
  return /^[/@]./s.test(path) && !path.includes("\0");
}
