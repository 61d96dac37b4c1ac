import { isDeepStrictEqual } from "node:util";
import {
  checkServiceEntry,
  checkWorkloadEntry,
  isIstioVersion,
  isObjectDocument,
  parseConfigObject,
  serviceEntryToRecords,
  workloadEntryToWorkload,
  type ObjectFault,
  type ObjectPath,
} from "@signalbox/istio-objects";
import {
  byCodeUnit,
  canonicalIp,
  contentHash,
  instanceKey,
  isCidr,
  isHostname,
  isIpAddress,
  objectKey,
  parseProtocol,
  protocolFromPortName,
  serviceKey,
  serviceVersion,
  type Address,
  type ConfigObject,
  type Delta,
  type ObjectKey,
  type Port,
  type Provenance,
  type RegistryId,
  type Resolution,
  type ServiceInstance,
  type ServiceKey,
  type ServiceRecord,
  type Workload,
  type WorkloadKey,
} from "@signalbox/model";
import { formatPath } from "@signalbox/registry";
import type { StaticFile } from "./client.ts";
import { parseShortForm, type ShortEndpoint, type ShortService, type StaticConfig } from "./config.ts";

/** A place in a file. Lines and columns count from 1, documents from 0. */
export interface Place {
  readonly file: string;
  readonly document: number;
  readonly line: number;
  readonly column: number;
}

/** One mistake in a file. `severity` is as in ObjectFault; `field` is the path of the field within the document. */
export interface StaticFault extends Place {
  readonly severity: ObjectFault["severity"];
  readonly field: string;
  readonly message: string;
}

/** Writes a fault on one line, as compilers do. */
export function formatFault({ file, line, column, field, message }: StaticFault): string {
  return `${file}:${line}:${column}: ${field === "" ? "" : `${field}: `}${message}`;
}

/** Something that a file says, and where. Places cost a second look at the text, so they are made when they are asked for. */
export interface Placed<T> {
  readonly value: T;
  readonly place: () => Place;
}

/** All that one file says. Objects with errors are left out. */
export interface FileContent {
  readonly records: readonly Placed<ServiceRecord>[];
  readonly workloads: readonly Placed<Workload>[];
  readonly objects: readonly Placed<ConfigObject>[];
  readonly faults: readonly StaticFault[];
  /** Whether all documents could be read; the file may be torn where not. */
  readonly readable: boolean;
}

/** What the conversion has to know beside the file. */
export interface ConvertContext extends Pick<StaticConfig, "namespace" | "domain"> {
  readonly registry: RegistryId;
  /** First part of the keys of workloads. */
  readonly cluster: string;
}

/** Converts the documents of one file. Pure, and never throws: what is wrong is in `faults`. */
export function convertFile({ file, parsed }: StaticFile, context: ConvertContext): FileContent {
  const converter = new FileConverter(file, context);
  for (const document of parsed.documents) {
    const place = (path: ObjectPath, at?: "key" | "value") => document.positionOf(path, at);
    converter.document(document.value, { index: document.index, place });
  }
  const faults = [
    ...parsed.errors.map((error) => ({ ...error, severity: "error" as const, field: "" })),
    ...parsed.warnings.map((warning) => ({ ...warning, severity: "warning" as const, field: "" })),
    ...converter.faults,
  ];
  faults.sort((a, b) => a.line - b.line || a.column - b.column);
  const { records, workloads, objects } = converter;
  return { records, workloads, objects, faults, readable: parsed.errors.length === 0 };
}

interface DocumentContext {
  readonly index: number;
  readonly place: (path: ObjectPath, at?: "key" | "value") => { readonly line: number; readonly column: number };
}

class FileConverter {
  readonly records: Placed<ServiceRecord>[] = [];
  readonly workloads: Placed<Workload>[] = [];
  readonly objects: Placed<ConfigObject>[] = [];
  readonly faults: StaticFault[] = [];
  readonly #file: string;
  readonly #context: ConvertContext;

  constructor(file: string, context: ConvertContext) {
    this.#file = file;
    this.#context = context;
  }

  document(value: unknown, document: DocumentContext): void {
    if (!isObjectDocument(value)) {
      this.#shortForm(value, document);
      return;
    }
    const { apiVersion, kind, items } = value as { apiVersion: unknown; kind: unknown; items?: unknown };
    if (kind === "List" && Array.isArray(items)) {
      for (const [index, item] of items.entries()) this.#object(item, ["items", index], document);
    } else if (typeof apiVersion === "string" && typeof kind === "string" && !isIstioVersion(apiVersion)) {
      const message = `${kind} of ${apiVersion} is not an Istio object, so it is left out`;
      this.#report([{ path: ["kind"], at: "value", severity: "warning", message }], [], document);
    } else {
      this.#object(value, [], document);
    }
  }

  #object(value: unknown, prefix: ObjectPath, document: DocumentContext): void {
    const provenance = this.#provenance(this.#file);
    const { value: parsed, faults } = parseConfigObject(value, provenance);
    this.#report(faults, prefix, document);
    if (parsed === undefined) return;
    const named = `${parsed.kind} ${parsed.namespace}/${parsed.name} in ${this.#file}`;
    const object = { ...parsed, provenance: { ...parsed.provenance, object: named } };
    const place = () => this.#place(prefix, document);
    if (object.kind === "ServiceEntry") {
      const entry = checkServiceEntry(object);
      if (!this.#report(entry.faults, prefix, document)) return;
      for (const record of serviceEntryToRecords(object, entry.value)) this.records.push({ value: record, place });
    } else if (object.kind === "WorkloadEntry") {
      const entry = checkWorkloadEntry(object);
      if (!this.#report(entry.faults, prefix, document)) return;
      const workload = workloadEntryToWorkload(object, this.#context, entry.value);
      this.workloads.push({ value: workload, place });
    }
    this.objects.push({ value: object, place });
  }

  #shortForm(value: unknown, document: DocumentContext): void {
    const { services, faults } = parseShortForm(value);
    this.#report(faults, [], document);
    for (const [index, service] of services) {
      const prefix = ["services", index];
      const provenance = this.#provenance(`${this.#file}#/services/${index}`);
      const found: ObjectFault[] = [];
      const record = shortRecord(service, this.#context, provenance, (path, message) => {
        found.push({ path, at: "value", severity: "error", message });
      });
      if (this.#report(found, prefix, document))
        this.records.push({ value: record, place: () => this.#place(prefix, document) });
    }
  }

  /** Notes faults; true where none of them is an error. */
  #report(faults: readonly ObjectFault[], prefix: ObjectPath, document: DocumentContext): boolean {
    for (const { path, at, severity, message } of faults) {
      const whole = [...prefix, ...path];
      const field = whole.length === 0 ? "" : formatPath(whole);
      this.faults.push({ ...this.#place(whole, document, at), severity, field, message });
    }
    return faults.every(({ severity }) => severity !== "error");
  }

  #place(path: ObjectPath, { index, place }: DocumentContext, at?: "key" | "value"): Place {
    const { line, column } = place(path, at);
    return { file: this.#file, document: index, line, column };
  }

  #provenance(object: string): Provenance {
    return { registry: this.#context.registry, object };
  }
}

type Fail = (path: ObjectPath, message: string) => void;

function shortRecord(short: ShortService, context: ConvertContext, provenance: Provenance, fail: Fail): ServiceRecord {
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

/** What all files say together, in the order of their names. */
export interface MergedFiles {
  readonly records: ReadonlyMap<ServiceKey, ServiceRecord>;
  readonly workloads: ReadonlyMap<WorkloadKey, Workload>;
  readonly objects: ReadonlyMap<ObjectKey, ConfigObject>;
  /** The same thing said differently in two places: the first place wins. */
  readonly conflicts: readonly StaticFault[];
}

/**
 * Puts files together. A service that is defined equally in several places has the endpoints of all of them; of different definitions the first
 * wins, by file name and then by place, and the other is a conflict. What only one file says keeps its identity, so that work follows the change.
 */
export function mergeFiles(files: ReadonlyMap<string, FileContent>): MergedFiles {
  const contents = [...files].sort(([a], [b]) => byCodeUnit(a, b)).map(([, content]) => content);
  const conflicts: StaticFault[] = [];
  const collect = <K extends string, T>(
    items: readonly Placed<T>[],
    what: string,
    keyOf: (value: T) => K,
    join: (first: T, second: T) => T | undefined,
  ): ReadonlyMap<K, T> => {
    const first = new Map<K, Placed<T>>();
    for (const { value, place } of items) {
      const key = keyOf(value);
      const known = first.get(key);
      const joined = known === undefined ? value : join(known.value, value);
      if (joined !== undefined) {
        first.set(key, { value: joined, place: known?.place ?? place });
      } else if (known !== undefined) {
        const { file, line, column } = known.place();
        const message = `${what} ${key} is defined differently at ${file}:${line}:${column}, which comes first and wins`;
        conflicts.push({ ...place(), severity: "error", field: "", message });
      }
    }
    return new Map([...first].map(([key, { value }]) => [key, value]));
  };
  return {
    records: collect(
      contents.flatMap((file) => file.records),
      "service",
      ({ service }) => serviceKey(service),
      joinRecords,
    ),
    workloads: collect(
      contents.flatMap((file) => file.workloads),
      "workload",
      ({ key }) => key,
      same,
    ),
    objects: collect(
      contents.flatMap((file) => file.objects),
      "object",
      objectKey,
      same,
    ),
    conflicts,
  };
}

function joinRecords(first: ServiceRecord, second: ServiceRecord): ServiceRecord | undefined {
  if (serviceVersion(first.service) !== serviceVersion(second.service)) return undefined;
  const ids = new Set(first.instances.map(({ id }) => id));
  return {
    service: first.service,
    instances: [...first.instances, ...second.instances.filter(({ id }) => !ids.has(id))],
  };
}

function same<T extends { readonly provenance: Provenance }>(first: T, second: T): T | undefined {
  const content = ({ provenance: _, ...rest }: T) => contentHash(rest);
  return content(first) === content(second) ? first : undefined;
}

/** What changed from one state of the files to the next; undefined where nothing did. */
export function diffFiles(before: MergedFiles, now: MergedFiles) {
  const records = diff(before.records, now.records);
  const workloads = diff(before.workloads, now.workloads);
  const objects = diff(before.objects, now.objects);
  const empty = [records, workloads, objects].every(({ upserted, removed }) => upserted.length + removed.length === 0);
  return empty ? undefined : { records, workloads, objects };
}

function diff<K, V>(before: ReadonlyMap<K, V>, now: ReadonlyMap<K, V>): Delta<K, V> {
  const changed = ([key, value]: readonly [K, V]) => {
    const old = before.get(key);
    return old !== value && !isDeepStrictEqual(old, value);
  };
  return {
    upserted: [...now].filter(changed).map(([, value]) => value),
    removed: [...before.keys()].filter((key) => !now.has(key)),
  };
}
