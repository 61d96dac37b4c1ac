import type { ObjectPath } from "@signalbox/istio-objects";
import {
  canonicalIp,
  instanceKey,
  isCidr,
  isHostname,
  isHttp,
  isIpAddress,
  parseProtocol,
  protocolFromPortName,
  type Address,
  type Port,
  type Provenance,
  type Resolution,
  type ServiceInstance,
  type ServiceRecord,
} from "@signalbox/model";
import type { StaticConfig } from "../config.ts";
import type { ShortEndpoint, ShortService } from "./short-schema.ts";

type Fail = (path: ObjectPath, message: string) => void;

/** What a service of the short form leaves unsaid. */
export type ShortContext = Pick<StaticConfig, "namespace" | "domain">;

/** Makes the record of one service. Tells `fail` what is wrong with it; the record is of use only where nothing is. */
export function shortRecord(
  short: ShortService,
  context: ShortContext,
  provenance: Provenance,
  fail: Fail,
): ServiceRecord {
  const namespace = short.namespace ?? context.namespace;
  const hostname = short.hostname ?? `${short.name}.${namespace}.svc.${context.domain}`;
  const { endpoints = [], addresses = [] } = short;
  const named = endpoints.some(({ address }) => !isIpAddress(address) && !address.startsWith("unix://"));
  const resolution = short.resolution ?? (named ? "DNS" : "STATIC");
  if (!isHostname(hostname, { wildcard: true })) {
    fail([short.hostname === undefined ? "name" : "hostname"], `"${hostname}" is not a host name`);
  }
  for (const [index, address] of addresses.entries()) {
    if (!isIpAddress(address) && !isCidr(address))
      fail(["addresses", index], `"${address}" is not an IP address or CIDR block`);
  }
  if (endpoints.length > 0 && (resolution === "NONE" || resolution === "DYNAMIC_DNS")) {
    fail(["endpoints"], `resolution ${resolution} takes no endpoints`);
  }
  if (endpoints.length > 0 && short.workloadSelector !== undefined) {
    fail(["workloadSelector"], "cannot stand beside endpoints: the workloads are the endpoints");
  }
  const ports = short.ports.map((port, index) => shortPort(port, index, fail));
  for (const [index, port] of ports.entries()) {
    const twin = ports.findIndex((other) => other.name === port.name || other.number === port.number);
    if (twin < index) fail(["ports", index], `has the name or the number of ports[${twin}]`);
  }
  const ownHost = endpoints.length === 0 && short.workloadSelector === undefined && isByName(resolution);
  if (ownHost && hostname.startsWith("*")) fail(["resolution"], `"${hostname}" cannot be resolved: give it endpoints`);
  const listed = ownHost ? [{ address: hostname }] : endpoints;
  const instances = listed.flatMap((endpoint, index) => {
    const at = (path: ObjectPath, message: string) => fail(["endpoints", index, ...path], message);
    return shortInstances(endpoint, ports, resolution, provenance, at);
  });
  const ids = new Set<string>();
  for (const { id } of instances) {
    if (ids.has(id)) fail(["endpoints"], `${id} is given twice`);
    ids.add(id);
  }
  return {
    service: {
      hostname,
      namespace,
      ports,
      resolution,
      addresses,
      labels: short.labels ?? {},
      meshExternal: short.external ?? false,
      exportTo: short.exportTo ?? [],
      ...(short.workloadSelector === undefined ? {} : { workloadSelector: short.workloadSelector }),
      serviceAccounts: short.serviceAccounts ?? [],
      provenance,
    },
    instances,
  };
}

function shortPort(port: ShortService["ports"][number], index: number, fail: Fail): Port {
  const { number, protocol, targetPort } = port;
  const name = port.name ?? `${protocol?.toLowerCase() ?? "port"}-${number}`;
  const parsed = protocol === undefined ? protocolFromPortName(name, number) : parseProtocol(protocol);
  if (protocol !== undefined && parsed === "UNSUPPORTED") {
    fail(["ports", index, "protocol"], `"${protocol}" is not a known protocol`);
  }
  return {
    name,
    number,
    protocol: parsed,
    ...(targetPort === undefined || targetPort === number ? {} : { targetPort }),
  };
}

function shortInstances(
  endpoint: ShortEndpoint,
  ports: readonly Port[],
  resolution: Resolution,
  provenance: Provenance,
  fail: Fail,
): readonly ServiceInstance[] {
  const { address } = endpoint;
  const own = endpoint.port ?? new Map<string, number>();
  const unix = address.startsWith("unix://") ? address.slice("unix://".length) : undefined;
  const ip = isIpAddress(address);
  if (unix !== undefined) {
    if (!/^(?:\/.*[^/]|@.+)$/.test(unix)) fail(["address"], `"${unix}" is not the absolute path of a socket`);
    if (own.size > 0) fail(["port"], "a Unix socket has no port");
    if (ports.length > 1) fail(["address"], "a Unix socket serves one port, and the service has several");
  } else if (!ip && !isHostname(address)) {
    fail(["address"], `"${address}" is neither an IP address nor a host name`);
  } else if (!ip && !isByName(resolution)) {
    fail(["address"], `"${address}" is a host name, which resolution ${resolution} does not look up`);
  }
  if (own.has("") && ports.length > 1) {
    const names = ports.map((port) => `${port.name}: ${own.get("") ?? ""}`).join(", ");
    fail(["port"], `the service has several ports, so say which one is meant: {${names}}`);
  }
  const readable = ports.find(({ protocol }) => isHttp(protocol));
  if (endpoint.tls === "simple" && readable !== undefined) {
    const spoken = `port ${readable.name} is ${readable.protocol}, which callers speak without TLS`;
    fail(["tls"], `${spoken}; make it HTTPS, or leave this out`);
  }
  for (const name of own.keys()) {
    if (name !== "" && !ports.some((port) => port.name === name))
      fail(["port", name], `the service has no port named "${name}"`);
  }
  return ports.map((port): ServiceInstance => {
    const number = own.get(port.name) ?? own.get("") ?? port.targetPort ?? port.number;
    const where: Address =
      unix !== undefined
        ? { type: "unix", path: unix }
        : ip
          ? { type: "ip", ip: canonicalIp(address), port: number }
          : { type: "hostname", hostname: address, port: number };
    return {
      id: `${port.name}/${instanceKey(where)}`,
      servicePort: port.name,
      addresses: [where],
      labels: endpoint.labels ?? {},
      locality: endpoint.locality ?? { region: "", zone: "", subzone: "" },
      network: endpoint.network ?? "",
      serviceAccount: endpoint.serviceAccount ?? "",
      tls: endpoint.tls ?? (endpoint.serviceAccount === undefined ? "disabled" : "istio"),
      healthStatus: endpoint.health ?? "HEALTHY",
      weight: endpoint.weight ?? 1,
      provenance,
    };
  });
}

function isByName(resolution: Resolution): boolean {
  return resolution === "DNS" || resolution === "DNS_ROUND_ROBIN";
}
