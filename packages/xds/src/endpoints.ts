import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { HealthStatus } from "@signalbox/envoy-api/envoy/config/core/v3/health_check";
import { byCodeUnit, instanceKey, type Address, type CatalogInstance, type Locality } from "@signalbox/model";

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
    const { region, zone, subzone } = instance.locality;
    const key = JSON.stringify([region, zone, subzone, instance.priority]);
    const group = groups.get(key);
    if (group === undefined) {
      groups.set(key, { locality: instance.locality, priority: instance.priority, instances: [instance] });
    } else group.instances.push(instance);
  }
  const sorted = [...groups.entries()].sort(([a, x], [b, y]) => x.priority - y.priority || byCodeUnit(a, b));
  const priorities = [...new Set(sorted.map(([, group]) => group.priority))];
  return sorted.map(([, group]) => ({
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

const encodedEndpoints = new WeakMap<CatalogInstance, Uint8Array>();

/** The bytes of an `LbEndpoint`. Kept for as long as the catalog holds the instance, so each is encoded once. */
export function encodeEndpoint(instance: CatalogInstance): Uint8Array {
  const known = encodedEndpoints.get(instance);
  if (known !== undefined) return known;
  const writer = new BinaryWriter();
  writer.tag(1, WireType.LengthDelimited).fork();
  writeAddress(writer.tag(1, WireType.LengthDelimited).fork(), instance.addresses[0]);
  writer.join();
  for (const address of additionalAddresses(instance)) {
    writer.tag(4, WireType.LengthDelimited).fork().tag(1, WireType.LengthDelimited).fork();
    writeAddress(writer, address);
    writer.join().join();
  }
  writer.join();
  const health = envoyHealth(instance);
  if (health !== HealthStatus.UNKNOWN) writer.tag(2, WireType.Varint).int32(health);
  writeWeight(writer, 4, endpointWeight(instance));
  const bytes = writer.finish();
  encodedEndpoints.set(instance, bytes);
  return bytes;
}

/** The bytes of a `ClusterLoadAssignment`: a join of stored endpoints. Without endpoints it is the empty assignment. */
export function encodeAssignment(clusterName: string, groups: readonly LocalityGroup[]): Uint8Array {
  const writer = new BinaryWriter();
  writer.tag(1, WireType.LengthDelimited).string(clusterName);
  for (const group of groups) {
    writer.tag(2, WireType.LengthDelimited).fork();
    writer.tag(1, WireType.LengthDelimited).fork();
    writeString(writer, 1, group.locality.region);
    writeString(writer, 2, group.locality.zone);
    writeString(writer, 3, group.locality.subzone);
    writer.join();
    for (const instance of group.instances) writer.tag(2, WireType.LengthDelimited).bytes(encodeEndpoint(instance));
    writeWeight(writer, 3, localityWeight(group.instances));
    if (group.priority !== 0) writer.tag(5, WireType.Varint).uint32(group.priority);
    writer.join();
  }
  return writer.finish();
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

function writeAddress(writer: BinaryWriter, address: Address): void {
  if (address.type === "unix") {
    writer.tag(2, WireType.LengthDelimited).fork();
    writeString(writer, 1, address.path);
  } else {
    writer.tag(1, WireType.LengthDelimited).fork();
    writeString(writer, 2, address.type === "ip" ? address.ip : address.hostname);
    writer.tag(3, WireType.Varint).uint32(address.port);
  }
  writer.join();
}

function writeString(writer: BinaryWriter, field: number, value: string): void {
  if (value !== "") writer.tag(field, WireType.LengthDelimited).string(value);
}

function writeWeight(writer: BinaryWriter, field: number, value: number): void {
  writer.tag(field, WireType.LengthDelimited).fork();
  if (value !== 0) writer.tag(1, WireType.Varint).uint32(value);
  writer.join();
}
