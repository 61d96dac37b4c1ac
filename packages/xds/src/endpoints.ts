import { HealthStatus } from "@signalbox/envoy-api/envoy/config/core/v3/health_check";
import { byCodeUnit, instanceKey, type Address, type CatalogInstance, type Locality } from "@signalbox/model";
import { ReverseWriter } from "./reverse-writer.ts";

/** Which endpoints a client can take: Envoy's EDS knows IP addresses and unix sockets, gRPC IP addresses only. */
export type EndpointAddresses = "ip" | "ip-and-unix" | "ip-and-hostname";

const healthStatuses = {
  HEALTHY: HealthStatus.HEALTHY,
  DEGRADED: HealthStatus.DEGRADED,
  UNHEALTHY: HealthStatus.UNHEALTHY,
  DRAINING: HealthStatus.DRAINING,
  TERMINATING: HealthStatus.DRAINING,
  UNKNOWN: HealthStatus.UNKNOWN,
} as const satisfies Record<CatalogInstance["healthStatus"], HealthStatus>;

const maximumWeight = 0xffff_ffff;

/** Endpoints of one locality and priority, in the order they are written. */
export interface LocalityGroup {
  readonly locality: Locality;
  readonly priority: number;
  readonly instances: readonly CatalogInstance[];
}

/**
 * The endpoints of one service port, grouped and sorted as they are written: by priority, then locality, then address.
 * Left out are endpoints that the client cannot dial and those of weight 0, which take no traffic. Priorities are renumbered
 * without gaps, which gRPC demands.
 */
export function localityGroups(
  instances: readonly CatalogInstance[],
  servicePort: string,
  addresses: EndpointAddresses,
): readonly LocalityGroup[] {
  const groups = new Map<string, { locality: Locality; priority: number; instances: CatalogInstance[] }>();
  for (const instance of instances) {
    if (instance.servicePort !== servicePort || instance.weight <= 0 || !usable(instance.addresses[0], addresses))
      continue;
    const { locality, priority } = instance;
    const { region, zone, subzone } = locality;
    // The lengths tell apart what reads the same when it is joined.
    const key = `${priority} ${region.length} ${zone.length} ${region}${zone}${subzone}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { locality, priority, instances: [instance] });
    else group.instances.push(instance);
  }
  const sorted = [...groups.values()]
    .map((group) => ({ group, priority: group.priority, order: orderOf(group.locality) }))
    .sort((a, b) => a.priority - b.priority || byCodeUnit(a.order, b.order));
  const priorities = [...new Set(sorted.map(({ priority }) => priority))];
  return sorted.map(({ group }) => ({
    locality: group.locality,
    priority: priorities.indexOf(group.priority),
    instances: sortedByAddress(group.instances),
  }));
}

/** What Envoy is told of an endpoint's weight: at most so much that a locality's sum still fits 32 bits. */
export function endpointWeight(instance: CatalogInstance): number {
  return Math.min(instance.weight, 100_000);
}

/** A locality's weight: the sum of its endpoints'. */
export function localityWeight(instances: readonly CatalogInstance[]): number {
  return Math.min(
    instances.reduce((sum, instance) => sum + endpointWeight(instance), 0),
    maximumWeight,
  );
}

/** Envoy's health status of an endpoint. */
export function envoyHealth(instance: CatalogInstance): HealthStatus {
  return healthStatuses[instance.healthStatus];
}

/** The addresses beside the first (dual stack): Envoy takes IP addresses there. */
export function additionalAddresses(instance: CatalogInstance): readonly (Address & { readonly type: "ip" })[] {
  const [first, ...rest] = instance.addresses;
  return first.type === "ip" ? rest.filter((address) => address.type === "ip") : [];
}

/** Nothing that is written gives way to anybody else before it is finished, so one is enough. */
const writer = new ReverseWriter();

/** The bytes of an `LbEndpoint`. */
export function encodeEndpoint(instance: CatalogInstance): Uint8Array {
  writer.begin();
  writeEndpoint(instance);
  return writer.finish();
}

/** The category under which Envoy and gRPC count the requests that are dropped because nobody is to serve them. */
export const dropCategory = "unserved";

/** Envoy's `FractionalPercent.DenominatorType.MILLION`. */
const million = 2;

/**
 * The bytes of a `ClusterLoadAssignment`. Without endpoints it is the empty assignment. `dropped`: the part of the requests that
 * clients fail themselves, in parts of a million.
 */
export function encodeAssignment(clusterName: string, groups: readonly LocalityGroup[], dropped = 0): Uint8Array {
  writer.begin();
  if (dropped > 0) writeDropped(dropped);
  for (let at = groups.length - 1; at >= 0; at--) {
    const group = groups[at];
    if (group !== undefined) writeGroup(group);
  }
  writer.string(1, clusterName);
  return writer.finish();
}

/** Envoy takes one overload and refuses several. */
function writeDropped(dropped: number): void {
  const policy = writer.length;
  const percentage = writer.length;
  writer.uint32(2, million);
  writer.uint32(1, dropped);
  writer.nested(2, percentage);
  writer.string(1, dropCategory);
  writer.nested(2, policy);
  writer.nested(4, policy);
}

function writeGroup({ instances, locality, priority }: LocalityGroup): void {
  const before = writer.length;
  if (priority !== 0) writer.uint32(5, priority);
  writeWeight(3, localityWeight(instances));
  for (let at = instances.length - 1; at >= 0; at--) {
    const instance = instances[at];
    if (instance === undefined) continue;
    const end = writer.length;
    writeEndpoint(instance);
    writer.nested(2, end);
  }
  const end = writer.length;
  writeString(3, locality.subzone);
  writeString(2, locality.zone);
  writeString(1, locality.region);
  writer.nested(1, end);
  writer.nested(2, before);
}

function writeEndpoint(instance: CatalogInstance): void {
  writeWeight(4, endpointWeight(instance));
  const health = envoyHealth(instance);
  if (health !== HealthStatus.UNKNOWN) writer.uint32(2, health);
  const before = writer.length;
  if (instance.addresses.length > 1) {
    for (const address of [...additionalAddresses(instance)].reverse()) {
      const end = writer.length;
      writeAddress(1, address);
      writer.nested(4, end);
    }
  }
  writeAddress(1, instance.addresses[0]);
  writer.nested(1, before);
}

function usable(address: Address, addresses: EndpointAddresses): boolean {
  switch (address.type) {
    case "ip":
      return true;
    case "unix":
      return addresses === "ip-and-unix";
    case "hostname":
      return addresses === "ip-and-hostname" && !address.hostname.includes("*");
  }
}

function sortedByAddress(instances: readonly CatalogInstance[]): readonly CatalogInstance[] {
  return instances
    .map((instance) => ({ key: `${instanceKey(instance.addresses[0])} ${instance.id}`, instance }))
    .sort((a, b) => byCodeUnit(a.key, b.key))
    .map(({ instance }) => instance);
}

/** The order of localities, which says nothing about them: equal for equal ones. */
function orderOf({ region, subzone, zone }: Locality): string {
  return JSON.stringify([region, zone, subzone]);
}

function writeAddress(field: number, address: Address): void {
  const before = writer.length;
  if (address.type === "unix") writeString(1, address.path);
  else {
    // A port of 0 is written too: it is one of several things that can stand here.
    writer.uint32(3, address.port);
    writeString(2, address.type === "ip" ? address.ip : address.hostname);
  }
  writer.nested(address.type === "unix" ? 2 : 1, before);
  writer.nested(field, before);
}

function writeString(field: number, value: string): void {
  if (value !== "") writer.string(field, value);
}

function writeWeight(field: number, value: number): void {
  const before = writer.length;
  if (value !== 0) writer.uint32(1, value);
  writer.nested(field, before);
}
