import { byCodeUnit, protocolFromPortName } from "@signalbox/model";
import type { Port, Protocol, RegistryId, ServiceInstance, ServiceRecord } from "@signalbox/model";
import type { ConsulScope } from "./client.ts";
import type { ConsulConfig } from "./config.ts";
import { convertEntry, EntryError, type ConsulEndpoint, type EntryContext, type EntryFault } from "./convert/entry.ts";

export { Alike } from "./convert/alike.ts";
export { HostParts, hostPart } from "./convert/names.ts";
export type { ConsulEndpoint, EntryContext, EntryFault } from "./convert/entry.ts";

/** An instance that is left out, and why. */
export interface RejectedEntry {
  readonly fault: EntryFault;
  readonly message: string;
}

/** What is kept of an answer of `/v1/health/service/<name>`. */
export interface ConvertedEntries {
  /** Sorted by id; ids are unique. */
  readonly endpoints: readonly ConsulEndpoint[];
  readonly rejected: readonly RejectedEntry[];
}

/** Converts the instances of one service. Never throws: each one that is malformed is left out and told. */
export function convertEntries(entries: readonly unknown[], context: EntryContext): ConvertedEntries {
  const endpoints = new Map<string, ConsulEndpoint>();
  const rejected: RejectedEntry[] = [];
  for (const entry of entries) {
    try {
      for (const endpoint of convertEntry(entry, context)) {
        if (endpoints.has(endpoint.id)) throw new EntryError("duplicate", `${endpoint.id} comes twice`);
        endpoints.set(endpoint.id, endpoint);
      }
    } catch (error) {
      if (!(error instanceof EntryError)) throw error;
      rejected.push({ fault: error.fault, message: error.message });
    }
  }
  return { endpoints: [...endpoints.values()].sort((a, b) => byCodeUnit(a.id, b.id)), rejected };
}

/** One service with all its endpoints, of all datacenters. */
export interface ServiceParts {
  /** As Consul writes it. */
  readonly name: string;
  /** The part of the hostname that stands for the name. */
  readonly hostPart: string;
  readonly scope: Pick<ConsulScope, "namespace" | "partition">;
  readonly endpoints: readonly ConsulEndpoint[];
  readonly sourceVersion?: string | undefined;
}

/** Makes the record of a service; none where no endpoint is left, because then no port is known. */
export function assembleRecord(
  { name, hostPart, scope, endpoints, sourceVersion }: ServiceParts,
  { config, registry }: { readonly config: ConsulConfig; readonly registry: RegistryId },
): ServiceRecord | undefined {
  if (endpoints.length === 0) return undefined;
  const ports = portsOf(endpoints, config);
  const dns = endpoints.some(({ addresses }) => addresses.some(({ type }) => type === "hostname"));
  return {
    service: {
      hostname: `${hostPart}${hostnameEnd(scope, config)}`,
      namespace: namespaceOf(scope, config),
      ports: [...ports.values()].sort((a, b) => a.number - b.number),
      resolution: dns ? "DNS" : "STATIC",
      addresses: [],
      labels: {},
      meshExternal: endpoints.some(({ external }) => external),
      exportTo: [],
      serviceAccounts: [],
      provenance: { registry, object: `Service ${name}`, ...(sourceVersion !== undefined && { sourceVersion }) },
    },
    // Member by member, as the endpoints are made.
    instances: endpoints.map((endpoint): ServiceInstance => ({
      labels: endpoint.labels,
      locality: endpoint.locality,
      network: endpoint.network,
      serviceAccount: endpoint.serviceAccount,
      tls: endpoint.tls,
      healthStatus: endpoint.healthStatus,
      weight: endpoint.weight,
      provenance: endpoint.provenance,
      id: endpoint.id,
      addresses: endpoint.addresses,
      servicePort: ports.get(servicePortOf(endpoint, config))?.name ?? "",
    })),
  };
}

/** The protocols that instances declare for one service port and that contradict each other. */
export function conflictingPorts(endpoints: readonly ConsulEndpoint[], config: ConsulConfig): readonly number[] {
  return [...declaredProtocols(endpoints, config)]
    .filter(([, declared]) => declared.size > 1)
    .map(([number]) => number);
}

function portsOf(endpoints: readonly ConsulEndpoint[], config: ConsulConfig): ReadonlyMap<number, Port> {
  const ports = new Map<number, Port>();
  for (const [number, declared] of declaredProtocols(endpoints, config)) {
    const [first, second] = declared;
    // Instances that contradict each other leave it to the traffic: no order of instances decides.
    const protocol = second !== undefined ? "UNSUPPORTED" : (first ?? defaultProtocol(number, config));
    const prefix = protocol === "UNSUPPORTED" ? "port" : protocol.toLowerCase();
    ports.set(number, { name: `${prefix}-${number}`, number, protocol });
  }
  return ports;
}

function declaredProtocols(
  endpoints: readonly ConsulEndpoint[],
  config: ConsulConfig,
): ReadonlyMap<number, ReadonlySet<Protocol>> {
  const protocols = new Map<number, Set<Protocol>>();
  for (const endpoint of endpoints) {
    const number = servicePortOf(endpoint, config);
    const declared = protocols.get(number) ?? new Set<Protocol>();
    if (endpoint.protocol !== undefined) declared.add(endpoint.protocol);
    protocols.set(number, declared);
  }
  return protocols;
}

function servicePortOf({ port, main }: ConsulEndpoint, { servicePort }: ConsulConfig): number {
  return main ? (servicePort ?? port) : port;
}

/** The protocol of a service port where no instance declares one. */
export function defaultProtocol(number: number, { defaultProtocol }: ConsulConfig): Protocol {
  return defaultProtocol === "UNSUPPORTED" ? protocolFromPortName("", number) : defaultProtocol;
}

/** What follows the service's own part in the hostnames of a scope. */
export function hostnameEnd(scope: ServiceParts["scope"], { domain }: ConsulConfig): string {
  return `.service${tenancyOf(scope)}.${domain}`;
}

/** The namespace of the services of a scope. */
export function namespaceOf({ namespace }: ServiceParts["scope"], config: ConsulConfig): string {
  return isDefault(namespace) ? config.namespace : (namespace ?? config.namespace);
}

/** What Consul's DNS puts between `service` and the domain: nothing for the defaults. */
function tenancyOf({ namespace, partition }: Pick<ConsulScope, "namespace" | "partition">): string {
  if (!isDefault(partition)) return `.${namespace ?? "default"}.ns.${partition ?? "default"}.ap`;
  return isDefault(namespace) ? "" : `.${namespace ?? "default"}.ns`;
}

function isDefault(name: string | undefined): boolean {
  return name === undefined || name === "default";
}
