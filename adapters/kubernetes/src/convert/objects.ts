import { canonicalIp, isHostname, isIpAddress, protocolFromAppProtocol, protocolFromPortName } from "@signalbox/model";
import type { HealthStatus, Labels, Locality, Protocol, Workload } from "@signalbox/model";
import {
  MalformedObjectError,
  rawFlag,
  rawLabels,
  rawList,
  rawMap,
  rawName,
  rawPort,
  rawText,
  rawTime,
} from "./raw.ts";
import type { Raw } from "./raw.ts";

/** What all objects have. What is kept of an object is only what the conversion needs. */
interface Kept {
  /** Empty for nodes and namespaces. */
  readonly namespace: string;
  readonly name: string;
  /** `metadata.resourceVersion`; opaque. */
  readonly version: string;
}

/** One port of a Service. */
export interface KubeServicePort {
  readonly name: string;
  readonly number: number;
  readonly protocol: Protocol;
  /** A number, or the name of a container port. */
  readonly target: number | string;
}

/** A Service. */
export interface KubeService extends Kept {
  readonly createdAt: number | undefined;
  readonly labels: Labels;
  readonly exportTo: readonly string[];
  /** Names of service accounts in the namespace of the service. */
  readonly accounts: readonly string[];
  /** Identities as they are. */
  readonly identities: readonly string[];
  readonly ports: readonly KubeServicePort[];
  readonly addresses: readonly string[];
  readonly headless: boolean;
  /** Target of an ExternalName service, in lower case and without the dot at its end. */
  readonly externalName: string | undefined;
  readonly selector: Labels | undefined;
  /** Whether IPv6 addresses are the primary ones. */
  readonly ipv6First: boolean;
  readonly publishNotReady: boolean;
}

/** One endpoint of an EndpointSlice. */
export interface KubeEndpoint {
  readonly addresses: readonly string[];
  readonly health: HealthStatus;
  /** Name of the pod in the slice's namespace, or empty. */
  readonly pod: string;
  readonly node: string;
  readonly zone: string;
}

/** An EndpointSlice. */
export interface KubeSlice extends Kept {
  /** What it is called in provenances: `EndpointSlice`, or what stands for one. */
  readonly kind: string;
  /** Name of its service in its namespace. */
  readonly service: string;
  readonly ipv6: boolean;
  readonly ports: readonly { readonly name: string; readonly number: number }[];
  readonly endpoints: readonly KubeEndpoint[];
  /** When the newest change happened that made the cluster write it, in epoch milliseconds, where the cluster says so. */
  readonly triggeredAt?: number;
}

/** A Pod. */
export interface KubePod extends Kept {
  readonly labels: Labels;
  readonly addresses: readonly string[];
  readonly hostNetwork: boolean;
  readonly ports: readonly number[];
  readonly namedPorts: ReadonlyMap<string, number>;
  readonly phase: Workload["phase"];
  readonly owner: string;
  readonly serviceAccount: string;
  readonly node: string;
  readonly startedAt: number | undefined;
}

/** A Node. */
export interface KubeNode extends Kept {
  readonly locality: Locality;
}

/** A Namespace. */
export interface KubeNamespace extends Kept {
  readonly labels: Labels;
}

/** Told for each part of an object that is left out; the rest of the object passes. */
export type Report = (error: MalformedObjectError) => void;

/** Reads a Service. Throws a MalformedObjectError. */
export function readService(raw: unknown, report: Report): KubeService {
  const { object, kept, metadata } = begin(raw, true);
  const spec = rawMap(object["spec"], "spec");
  const annotations = rawLabels(metadata["annotations"], "metadata.annotations");
  const external = rawText(spec["type"], "spec.type") === "ExternalName";
  const ips = clusterIps(spec);
  const families = rawList(spec["ipFamilies"], "spec.ipFamilies");
  const addresses = ips.filter((ip) => ip !== "None" && ip !== "");
  for (const ip of addresses) {
    if (!isIpAddress(ip)) throw new MalformedObjectError("spec.clusterIP", "is not an IP address");
  }
  return {
    ...kept,
    createdAt: rawTime(metadata["creationTimestamp"], "metadata.creationTimestamp"),
    labels: rawLabels(metadata["labels"], "metadata.labels"),
    exportTo: listOf(annotations, "networking.istio.io/exportTo"),
    accounts: listOf(annotations, "alpha.istio.io/kubernetes-serviceaccounts"),
    identities: listOf(annotations, "alpha.istio.io/canonical-serviceaccounts"),
    ports: servicePorts(spec, report),
    addresses: external ? [] : addresses.map(canonicalIp),
    headless: ips[0] === "None",
    externalName: external ? externalName(spec) : undefined,
    selector:
      Object.keys(rawMap(spec["selector"], "spec.selector")).length > 0
        ? rawLabels(spec["selector"], "spec.selector")
        : undefined,
    ipv6First: (families[0] ?? (addresses[0]?.includes(":") === true ? "IPv6" : "IPv4")) === "IPv6",
    publishNotReady: rawFlag(spec["publishNotReadyAddresses"], "spec.publishNotReadyAddresses") === true,
  };
}

function clusterIps(spec: Raw): readonly string[] {
  const all = rawList(spec["clusterIPs"], "spec.clusterIPs").map((ip) => rawText(ip, "spec.clusterIPs"));
  return all.length > 0 ? all : [rawText(spec["clusterIP"], "spec.clusterIP")];
}

function externalName(spec: Raw): string {
  const text = rawName(spec["externalName"], "spec.externalName").toLowerCase().replace(/\.$/, "");
  if (!isHostname(text)) throw new MalformedObjectError("spec.externalName", "is not a host name");
  return text;
}

function listOf(annotations: Labels, key: string): readonly string[] {
  if (!Object.hasOwn(annotations, key)) return [];
  const items = (annotations[key] ?? "").split(",").map((item) => item.trim());
  return [...new Set(items)].filter((item) => item !== "");
}

function servicePorts(spec: Raw, report: Report): readonly KubeServicePort[] {
  const names = new Set<string>();
  return rawList(spec["ports"], "spec.ports").flatMap((value, index): KubeServicePort[] => {
    const field = `spec.ports[${index}]`;
    const port = rawMap(value, field);
    const transport = rawText(port["protocol"], `${field}.protocol`);
    // No proxy of ours speaks SCTP.
    if (transport === "SCTP") return [];
    const number = rawPort(port["port"], `${field}.port`);
    const given = rawText(port["name"], `${field}.name`);
    const name = names.has(given) ? `${given === "" ? "port" : given}-${number}` : given;
    if (name !== given)
      report(new MalformedObjectError(`${field}.name`, `"${given}" is taken, so the port is called ${name}`));
    if (names.has(name)) throw new MalformedObjectError(`${field}.name`, "is taken by another port");
    names.add(name);
    const appProtocol = rawText(port["appProtocol"], `${field}.appProtocol`);
    return [
      {
        name,
        number,
        protocol: protocolOf(transport, name, appProtocol, number),
        target: targetOf(port, field, number),
      },
    ];
  });
}

/** As Istio decides: UDP is UDP, then `appProtocol`, and only without one the name of the port. */
function protocolOf(transport: string, name: string, appProtocol: string, number: number): Protocol {
  if (transport === "UDP") return "UDP";
  return appProtocol === "" ? protocolFromPortName(name, number) : protocolFromAppProtocol(appProtocol, number);
}

function targetOf(port: Raw, field: string, number: number): number | string {
  const target = port["targetPort"];
  // 0 is how Go writes that none was given.
  if (target === undefined || target === null || target === 0 || target === "") return number;
  return typeof target === "string" && !/^[0-9]+$/.test(target)
    ? target
    : rawPort(Number(target), `${field}.targetPort`);
}

/** Reads an EndpointSlice; `undefined` for one that belongs to no service or holds host names. Throws a MalformedObjectError. */
export function readSlice(raw: unknown, report: Report): KubeSlice | undefined {
  const { object, kept, metadata } = begin(raw, true);
  const labels = rawLabels(metadata["labels"], "metadata.labels");
  const service = Object.hasOwn(labels, "kubernetes.io/service-name")
    ? labels["kubernetes.io/service-name"]
    : undefined;
  const type = rawText(object["addressType"], "addressType");
  if (service === undefined || service === "" || type === "FQDN") return undefined;
  const endpoints = each(object["endpoints"], "endpoints", report, readEndpoint);
  const ipv6 = type === "IPv6" || (type === "" && endpoints[0]?.addresses[0]?.includes(":") === true);
  const ports = each(object["ports"], "ports", report, (value, field) => {
    const port = rawMap(value, field);
    // Without a number the slice means all ports, of which no proxy can make an endpoint.
    if (port["port"] === undefined || port["port"] === null) return undefined;
    return { name: rawText(port["name"], `${field}.name`), number: rawPort(port["port"], `${field}.port`) };
  });
  const triggeredAt = triggerTime(metadata["annotations"]);
  return { ...kept, kind: "EndpointSlice", service, ipv6, ports, endpoints, ...(triggeredAt && { triggeredAt }) };
}

/** It only serves to measure: a time that makes no sense is none. */
function triggerTime(annotations: unknown): number | undefined {
  if (typeof annotations !== "object" || annotations === null) return undefined;
  const text = (annotations as Readonly<Record<string, unknown>>)["endpoints.kubernetes.io/last-change-trigger-time"];
  const time = typeof text === "string" ? Date.parse(text) : Number.NaN;
  return Number.isNaN(time) ? undefined : time;
}

function readEndpoint(value: unknown, field: string): KubeEndpoint {
  const endpoint = rawMap(value, field);
  const addresses = rawList(endpoint["addresses"], `${field}.addresses`).map((address) =>
    ip(address, `${field}.addresses`),
  );
  const target = rawMap(endpoint["targetRef"], `${field}.targetRef`);
  return {
    addresses,
    health: healthOf(rawMap(endpoint["conditions"], `${field}.conditions`), `${field}.conditions`),
    pod: target["kind"] === "Pod" ? rawText(target["name"], `${field}.targetRef.name`) : "",
    node: rawText(endpoint["nodeName"], `${field}.nodeName`),
    zone: rawText(endpoint["zone"], `${field}.zone`),
  };
}

/** Unknown conditions count as the API says: ready where absent, serving as ready, and not terminating. */
function healthOf(conditions: Raw, field: string): HealthStatus {
  const ready = rawFlag(conditions["ready"], `${field}.ready`) ?? true;
  const serving = rawFlag(conditions["serving"], `${field}.serving`) ?? ready;
  const terminating = rawFlag(conditions["terminating"], `${field}.terminating`) ?? false;
  if (ready) return "HEALTHY";
  return serving && terminating ? "TERMINATING" : "UNHEALTHY";
}

/** Reads a Pod. Throws a MalformedObjectError. */
export function readPod(raw: unknown): KubePod {
  const { object, kept, metadata } = begin(raw, true);
  const spec = rawMap(object["spec"], "spec");
  const status = rawMap(object["status"], "status");
  const ports = containerPorts(spec);
  // Member by member: objects that begin with a spread are slow to make and large, and of these there are most.
  return {
    namespace: kept.namespace,
    name: kept.name,
    version: kept.version,
    labels: rawLabels(metadata["labels"], "metadata.labels"),
    addresses: podAddresses(status),
    hostNetwork: rawFlag(spec["hostNetwork"], "spec.hostNetwork") === true,
    ports: [...new Set(ports.map(({ number }) => number))],
    namedPorts: new Map(ports.flatMap(({ name, number }) => (name === "" ? [] : [[name, number] as const]))),
    phase: phaseOf(metadata, status),
    owner: ownerOf(metadata),
    serviceAccount: rawText(spec["serviceAccountName"], "spec.serviceAccountName"),
    node: rawText(spec["nodeName"], "spec.nodeName"),
    startedAt: rawTime(status["startTime"], "status.startTime"),
  };
}

function podAddresses(status: Raw): readonly string[] {
  const all = rawList(status["podIPs"], "status.podIPs").map((value) => rawMap(value, "status.podIPs")["ip"]);
  const listed = all.length > 0 ? all : [status["podIP"]];
  return listed
    .filter((address) => address !== undefined && address !== null && address !== "")
    .map((address) => ip(address, "status.podIP"));
}

function containerPorts(spec: Raw): { readonly name: string; readonly number: number }[] {
  return rawList(spec["containers"], "spec.containers").flatMap((value) => {
    const container = rawMap(value, "spec.containers");
    return rawList(container["ports"], "spec.containers.ports").map((item) => {
      const port = rawMap(item, "spec.containers.ports");
      const field = "spec.containers.ports";
      return {
        name: rawText(port["name"], `${field}.name`),
        number: rawPort(port["containerPort"], `${field}.containerPort`),
      };
    });
  });
}

function phaseOf(metadata: Raw, status: Raw): Workload["phase"] {
  const phase = rawText(status["phase"], "status.phase");
  if (phase === "Failed" || phase === "Succeeded") return "FAILED";
  if (rawText(metadata["deletionTimestamp"], "metadata.deletionTimestamp") !== "") return "TERMINATING";
  const conditions = rawList(status["conditions"], "status.conditions").map((value) =>
    rawMap(value, "status.conditions"),
  );
  const ready = conditions.find(({ type }) => type === "Ready");
  if (ready !== undefined) return ready["status"] === "True" ? "READY" : phase === "Pending" ? "PENDING" : "NOT_READY";
  return phase === "Pending" ? "PENDING" : "READY";
}

function ownerOf(metadata: Raw): string {
  const owners = rawList(metadata["ownerReferences"], "metadata.ownerReferences").map((value) =>
    rawMap(value, "metadata.ownerReferences"),
  );
  const owner = owners.find(({ controller }) => controller === true) ?? owners[0];
  if (owner === undefined) return "";
  return `${rawText(owner["kind"], "metadata.ownerReferences.kind")}/${rawText(owner["name"], "metadata.ownerReferences.name")}`;
}

/** Reads a Node. Throws a MalformedObjectError. */
export function readNode(raw: unknown): KubeNode {
  const { kept, metadata } = begin(raw, false);
  const labels = rawLabels(metadata["labels"], "metadata.labels");
  const label = (...keys: string[]) =>
    keys.map((key) => (Object.hasOwn(labels, key) ? labels[key] : undefined)).find(Boolean) ?? "";
  return {
    namespace: kept.namespace,
    name: kept.name,
    version: kept.version,
    locality: {
      region: label("topology.kubernetes.io/region", "failure-domain.beta.kubernetes.io/region"),
      zone: label("topology.kubernetes.io/zone", "failure-domain.beta.kubernetes.io/zone"),
      subzone: label("topology.istio.io/subzone"),
    },
  };
}

/** Reads a Namespace. Throws a MalformedObjectError. */
export function readNamespace(raw: unknown): KubeNamespace {
  const { kept, metadata } = begin(raw, false);
  return { ...kept, labels: rawLabels(metadata["labels"], "metadata.labels") };
}

/** Names of an object: `namespace/name`, or the name alone. Throws a MalformedObjectError. */
export function objectName(raw: unknown): string {
  const metadata = rawMap(rawMap(raw, "object")["metadata"], "metadata");
  const name = rawName(metadata["name"], "metadata.name");
  const namespace = rawText(metadata["namespace"], "metadata.namespace");
  return namespace === "" ? name : `${namespace}/${name}`;
}

function begin(
  raw: unknown,
  namespaced: boolean,
): { readonly object: Raw; readonly metadata: Raw; readonly kept: Kept } {
  const object = rawMap(raw, "object");
  const metadata = rawMap(object["metadata"], "metadata");
  const namespace = namespaced ? rawName(metadata["namespace"], "metadata.namespace") : "";
  const name = rawName(metadata["name"], "metadata.name");
  const version = rawText(metadata["resourceVersion"], "metadata.resourceVersion");
  return { object, metadata, kept: { namespace, name, version } };
}

/** Reads every item for itself: a malformed one is reported and left out. */
function each<T>(
  list: unknown,
  field: string,
  report: Report,
  read: (value: unknown, field: string) => T | undefined,
): readonly T[] {
  return rawList(list, field).flatMap((value, index) => {
    try {
      const item = read(value, `${field}[${index}]`);
      return item === undefined ? [] : [item];
    } catch (error) {
      if (!(error instanceof MalformedObjectError)) throw error;
      report(error);
      return [];
    }
  });
}

function ip(value: unknown, field: string): string {
  if (typeof value !== "string" || !isIpAddress(value)) throw new MalformedObjectError(field, "is not an IP address");
  return canonicalIp(value);
}
