import { canonicalIp, isHostname, isIpAddress, parseProtocol, protocolFromPortName } from "@signalbox/model";
import type { Address, HealthStatus, Labels, Locality, Protocol, RegistryId, ServiceInstance } from "@signalbox/model";
import type { ConsulConfig } from "../config.ts";
import type { Alike } from "./alike.ts";

/** One port of one instance. The service port that it serves is known only when all instances of the service are. */
export interface ConsulEndpoint extends Omit<ServiceInstance, "servicePort"> {
  /** Where it listens. */
  readonly port: number;
  /** The instance's own port, and not one that a meta key or a port list adds. */
  readonly main: boolean;
  /** As the instance declares it; absent where it says nothing. */
  readonly protocol?: Protocol | undefined;
  /** It is outside the mesh. */
  readonly external: boolean;
}

/** What the conversion of entries needs to know. */
export interface EntryContext {
  readonly config: ConsulConfig;
  readonly registry: RegistryId;
  /** Stands in where an answer names no datacenter. */
  readonly datacenter?: string | undefined;
  /** Where given, equal labels and equal localities of all entries are one object. */
  readonly alike?: { readonly labels: Alike<Labels>; readonly localities: Alike<Locality> };
}

/** Why an instance is left out. The last two are choices, not faults. */
export type EntryFault = "shape" | "address" | "port" | "weight" | "duplicate" | "no-port" | "excluded";

/** Thrown inside the conversion of one entry; it never leaves the package. */
export class EntryError extends Error {
  readonly code = "SBX_CONSUL_ENTRY";
  readonly fault: EntryFault;

  constructor(fault: EntryFault, message: string) {
    super(message);
    this.name = "EntryError";
    this.fault = fault;
  }
}

type Members = Readonly<Record<string, unknown>>;

const noLabels: Labels = Object.freeze({});

/** Converts one element of `/v1/health/service/<name>`. Throws an EntryError for one that is malformed or left out. */
export function convertEntry(value: unknown, context: EntryContext): readonly ConsulEndpoint[] {
  const entry = map(value, "entry");
  const node = map(entry["Node"], "Node");
  const service = map(entry["Service"], "Service");
  const { alike, config } = context;
  const kind = text(service["Kind"], "Service.Kind");
  if (!config.kinds.some((wanted) => wanted === (kind === "" ? "typical" : kind)))
    throw new EntryError("excluded", `the kind is ${kind}`);
  const tags = texts(service["Tags"], "Service.Tags");
  if (!passesTags(tags, config)) throw new EntryError("excluded", "the tags exclude it");
  const status = aggregateStatus(entry["Checks"]);
  const healthStatus = healthOf(status, config);
  if (healthStatus === undefined) throw new EntryError("excluded", `the status is ${status}`);

  const meta = labelsOf(service["Meta"], "Service.Meta");
  const nodeMeta = labelsOf(node["Meta"], "Node.Meta");
  const ownLabels = mergeLabels(tags, meta, config.tagSeparators);
  const labels = alike?.labels.of(ownLabels) ?? ownLabels;
  const datacenter = text(node["Datacenter"], "Node.Datacenter") || (context.datacenter ?? "");
  const id = idOf(node, service, datacenter);
  const ownLocality = localityOf(node, service, { meta, nodeMeta, datacenter, config });
  const locality = alike?.localities.of(ownLocality) ?? ownLocality;
  const weight = weightOf(service["Weights"], status);
  const external = nodeMeta["external-node"] === "true" || (meta["external"] ?? "") !== "";
  const provenance = { registry: context.registry, object: id };
  const hosts = hostsOf(node, service);
  const declared = declaredProtocol(labels, config);
  return portsOf(service, labels, config).map(({ key, port, protocol, main }) => {
    const [first, ...rest] = hosts.map((host) => addressOf(host, port));
    if (first === undefined) throw new EntryError("address", "there is no address");
    const fallback = main ? declared : undefined;
    // Member by member: objects that begin with a spread are slow to make, and each takes half a kilobyte more.
    return {
      labels,
      locality,
      network: "",
      serviceAccount: "",
      tls: "disabled",
      healthStatus,
      weight,
      provenance,
      external,
      id: main ? id : `${id}:${key}`,
      port,
      main,
      protocol: protocol ?? fallback,
      // A spread leaves room for more.
      addresses: rest.length === 0 ? [first] : [first, ...rest],
    };
  });
}

/** Whether an instance passes the tag rules: one of `include.tags` where there are any, and none of `exclude.tags`. */
function passesTags(tags: readonly string[], { include, exclude }: ConsulConfig): boolean {
  const wanted = include.tags.length === 0 || tags.some((tag) => include.tags.includes(tag));
  return wanted && !tags.some((tag) => exclude.tags.includes(tag));
}

type Status = "passing" | "warning" | "critical" | "maintenance";
const severity: readonly unknown[] = ["passing", "warning", "critical", "maintenance"] satisfies readonly Status[];

/** The worst of the checks of node and service, in Consul's order. No checks: passing. A status that is not known: critical. */
function aggregateStatus(checks: unknown): Status {
  let worst: Status = "passing";
  for (const value of list(checks, "Checks")) {
    const check = map(value, "check");
    const id = text(check["CheckID"], "CheckID");
    const maintained = id === "_node_maintenance" || id.startsWith("_service_maintenance:");
    const status = maintained ? "maintenance" : statusOf(check["Status"]);
    if (severity.indexOf(status) > severity.indexOf(worst)) worst = status;
  }
  return worst;
}

function statusOf(status: unknown): Status {
  return status === "passing" || status === "warning" ? status : "critical";
}

function healthOf(status: Status, { health }: ConsulConfig): HealthStatus | undefined {
  switch (status) {
    case "passing":
      return "HEALTHY";
    case "warning":
      return health.warning === "omit" ? undefined : warningHealth[health.warning];
    case "critical":
      return health.critical === "omit" ? undefined : "UNHEALTHY";
    case "maintenance":
      return "DRAINING";
  }
}

const warningHealth = { healthy: "HEALTHY", degraded: "DEGRADED", unhealthy: "UNHEALTHY" } as const;

function weightOf(value: unknown, status: Status): number {
  if (value === undefined || value === null) return 1;
  const weight = map(value, "Service.Weights")[status === "warning" ? "Warning" : "Passing"] ?? 1;
  if (typeof weight !== "number" || !Number.isInteger(weight) || weight < 0 || weight > 0xffffffff)
    throw new EntryError("weight", `the weight is ${typeof weight === "number" ? weight : "no number"}`);
  return weight;
}

function mergeLabels(tags: readonly string[], meta: Labels, separators: readonly string[]): Labels {
  const pairs = tags.flatMap((tag): (readonly [string, string])[] => {
    const found = separators.map((separator) => ({ separator, at: tag.indexOf(separator) })).filter(({ at }) => at > 0);
    const [first] = found.sort((a, b) => a.at - b.at);
    return first ? [[tag.slice(0, first.at), tag.slice(first.at + first.separator.length)]] : [];
  });
  const all = [...pairs, ...Object.entries(meta)];
  return all.length === 0 ? noLabels : Object.fromEntries(all);
}

/** The protocol that the labels of an instance name for its own port. */
export function declaredProtocol(labels: Labels, { protocolKeys }: ConsulConfig): Protocol | undefined {
  for (const key of protocolKeys) {
    const protocol = Object.hasOwn(labels, key) ? parseProtocol(labels[key] ?? "") : "UNSUPPORTED";
    if (protocol !== "UNSUPPORTED") return protocol;
  }
  return undefined;
}

interface EntryPort {
  readonly key: string;
  readonly port: number;
  readonly protocol?: Protocol | undefined;
  readonly main: boolean;
}

/** The ports of an instance: its own, those of a multi-port registration, and those that meta keys name. Each number once. */
function portsOf(service: Members, labels: Labels, { portKeys }: ConsulConfig): readonly EntryPort[] {
  const ports = new Map<number, EntryPort>();
  const own = service["Port"] ?? 0;
  if (own !== 0) ports.set(portNumber(own), { key: "", port: portNumber(own), main: true });
  for (const value of list(service["Ports"], "Service.Ports")) {
    const { Name: name, Port: port, Default: isDefault } = map(value, "Service.Ports");
    const number = portNumber(port);
    const key = text(name, "Service.Ports.Name");
    const named = protocolFromPortName(key, number);
    const protocol = named === "UNSUPPORTED" ? undefined : named;
    const main = ports.get(number)?.main === true || (own === 0 && isDefault === true);
    ports.set(number, { key, port: number, protocol, main });
  }
  for (const [key, protocol] of portKeys) {
    if (!Object.hasOwn(labels, key)) continue;
    const written = labels[key] ?? "";
    const number = portNumber(/^[0-9]+$/.test(written) ? Number(written) : written);
    ports.set(number, { key, port: number, protocol, main: ports.get(number)?.main ?? false });
  }
  if (ports.size === 0) throw new EntryError("no-port", "it has no port");
  return [...ports.values()];
}

function portNumber(value: unknown): number {
  if (typeof value === "number" && Number.isInteger(value) && value >= 1 && value <= 65535) return value;
  const shown = typeof value === "number" || typeof value === "string" ? String(value).slice(0, 80) : "no number";
  throw new EntryError("port", `the port is ${shown}`);
}

/** The service's address, or else the node's; after it the address of the other family, where one is tagged. */
function hostsOf(node: Members, service: Members): readonly string[] {
  const own = text(service["Address"], "Service.Address");
  const host = own === "" ? text(node["Address"], "Node.Address") : own;
  if (!isIpAddress(host)) return [host];
  const holder = own === "" ? node : service;
  const tagged = holder["TaggedAddresses"] ?? {};
  const other = map(tagged, "TaggedAddresses")[host.includes(":") ? "lan_ipv4" : "lan_ipv6"];
  const address = typeof other === "string" ? other : isMap(other) ? other["Address"] : undefined;
  const usable = typeof address === "string" && isIpAddress(address) && address.includes(":") !== host.includes(":");
  return usable ? [host, address] : [host];
}

function addressOf(host: string, port: number): Address {
  if (isIpAddress(host)) return { type: "ip", ip: canonicalIp(host), port };
  if (isHostname(host)) return { type: "hostname", hostname: host.toLowerCase(), port };
  throw new EntryError("address", `${JSON.stringify(host.slice(0, 80))} is no address`);
}

/** `<datacenter>/[<partition>/][<namespace>/]<node>/<service id>`; Consul keeps node and service id unique. */
function idOf(node: Members, service: Members, datacenter: string): string {
  const nodeName = text(node["Node"], "Node.Node");
  const name = text(service["Service"], "Service.Service");
  const serviceId = text(service["ID"], "Service.ID") || name;
  if (nodeName === "" || serviceId === "" || name === "") throw new EntryError("shape", "a name is missing");
  const tenancy = [service["Partition"], service["Namespace"]].map((part) => text(part, "tenancy"));
  const named = tenancy.filter((part) => part !== "" && part !== "default");
  return [datacenter, ...named, nodeName, serviceId].join("/");
}

interface LocalityFacts {
  readonly meta: Labels;
  readonly nodeMeta: Labels;
  readonly datacenter: string;
  readonly config: ConsulConfig;
}

/** Consul's own locality, then the meta keys of service and node, then the datacenter as the region. */
function localityOf(node: Members, service: Members, { meta, nodeMeta, datacenter, config }: LocalityFacts): Locality {
  const own = isMap(service["Locality"]) ? service["Locality"] : isMap(node["Locality"]) ? node["Locality"] : {};
  const fromMeta = (keys: readonly string[]) => {
    for (const labels of [meta, nodeMeta]) {
      for (const key of keys) if (Object.hasOwn(labels, key) && labels[key]) return labels[key];
    }
    return "";
  };
  const { region, zone, subzone } = config.localityKeys;
  return {
    region: text(own["Region"], "Locality.Region") || fromMeta(region) || datacenter,
    zone: text(own["Zone"], "Locality.Zone") || fromMeta(zone),
    subzone: fromMeta(subzone),
  };
}

function labelsOf(value: unknown, what: string): Labels {
  if (value === undefined || value === null) return noLabels;
  const members = map(value, what);
  for (const key of Object.keys(members)) if (typeof members[key] !== "string") throw new EntryError("shape", what);
  return members as Labels;
}

function map(value: unknown, what: string): Members {
  if (isMap(value)) return value;
  throw new EntryError("shape", `${what} is no map`);
}

function isMap(value: unknown): value is Members {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function list(value: unknown, what: string): readonly unknown[] {
  if (value === undefined || value === null) return [];
  if (Array.isArray(value)) return value;
  throw new EntryError("shape", `${what} is no list`);
}

function texts(value: unknown, what: string): readonly string[] {
  return list(value, what).map((item) => {
    if (typeof item !== "string") throw new EntryError("shape", `${what} holds more than texts`);
    return item;
  });
}

function text(value: unknown, what: string): string {
  if (value === undefined || value === null) return "";
  if (typeof value === "string") return value;
  throw new EntryError("shape", `${what} is no text`);
}
