import type {
  CatalogEntry,
  CatalogInstance,
  HealthStatus,
  Locality,
  Port,
  Protocol,
  Resolution,
  Service,
} from "@signalbox/model";
import { sortedBy, sortedRecord } from "./order.ts";

// Numbers and names as istiod's JSON has them (pilot/pkg/model/service.go, pkg/config/protocol).
const resolutions: Readonly<Record<Resolution, number>> = {
  STATIC: 0,
  DNS: 1,
  NONE: 2,
  DNS_ROUND_ROBIN: 3,
  ALIAS: 4,
  DYNAMIC_DNS: 5,
};
const healthStatuses: Readonly<Record<HealthStatus, number>> = {
  UNKNOWN: 0,
  HEALTHY: 1,
  // Istio has no word for it; a degraded endpoint still takes traffic.
  DEGRADED: 1,
  UNHEALTHY: 2,
  DRAINING: 3,
  TERMINATING: 4,
};
const protocols: Readonly<Partial<Record<Protocol, string>>> = {
  "GRPC-WEB": "GRPC-Web",
  MONGO: "Mongo",
  MYSQL: "MySQL",
  REDIS: "Redis",
  UNSUPPORTED: "UnsupportedProtocol",
};

/** Splits a registry's id into istiod's provider name, `Kubernetes`, and the cluster or registry name. */
export function splitRegistry(id: string): { readonly provider: string; readonly name: string } {
  const slash = id.indexOf("/");
  const provider = slash < 0 ? id : id.slice(0, slash);
  return { provider: provider.charAt(0).toUpperCase() + provider.slice(1), name: slash < 0 ? "" : id.slice(slash + 1) };
}

/** istiod's name of a shard: `<Provider>/<cluster>`. */
export function shardName(id: string): string {
  const { provider, name } = splitRegistry(id);
  return `${provider}/${name}`;
}

/** `region/zone/subzone` without empty parts at the end. */
export function localityLabel(locality: Locality): string {
  return `${locality.region}/${locality.zone}/${locality.subzone}`.replace(/\/+$/, "");
}

/** A port as istiod writes it. */
export function portShape(port: Port): { readonly name: string; readonly port: number; readonly protocol: string } {
  return { name: port.name, port: port.number, protocol: protocols[port.protocol] ?? port.protocol };
}

/** Istio's short name of a service: the first label of a cluster-local hostname, else the whole hostname. */
function attributeName(service: Service): string {
  const suffix = `.${service.namespace}.svc.`;
  const at = service.hostname.indexOf(suffix);
  return at > 0 ? service.hostname.slice(0, at) : service.hostname;
}

/**
 * A service as `/debug/registryz` of istiod has it, with two members of our own: `registries`, which know the service, and
 * `source`, its name there.
 */
export function serviceShape(entry: CatalogEntry): object {
  const { service, registries } = entry;
  const { provider, name } = splitRegistry(service.provenance.registry);
  const serviceAccounts = [...service.serviceAccounts].sort();
  return {
    Attributes: {
      ServiceRegistry: provider,
      Name: attributeName(service),
      Namespace: service.namespace,
      Labels: sortedRecord(Object.entries(service.labels)),
      ExportTo: service.exportTo.length === 0 ? null : sortedRecord(service.exportTo.map((to) => [to, {}])),
      LabelSelectors: service.workloadSelector ? sortedRecord(Object.entries(service.workloadSelector)) : null,
      Aliases: null,
      ClusterExternalAddresses: { Addresses: null },
      ClusterExternalPorts: null,
      ObjectName: attributeName(service),
    },
    ports: service.ports.map(portShape),
    ...(serviceAccounts.length > 0 && { serviceAccounts }),
    ...(service.createdAt !== undefined && { creationTime: timestamp(service.createdAt) }),
    hostname: service.hostname,
    clusterVIPs: { Addresses: service.addresses.length === 0 ? null : { [name]: service.addresses } },
    defaultAddress: service.addresses[0] ?? "0.0.0.0",
    Resolution: resolutions[service.resolution],
    MeshExternal: service.meshExternal,
    ResourceVersion: service.provenance.sourceVersion ?? "",
    registries,
    source: service.provenance.object,
  };
}

interface Place {
  readonly address: string;
  readonly port: number;
  readonly isSocketFile: boolean;
}

/** The primary address of an endpoint; a Unix socket has port 0. */
export function placeOf(instance: CatalogInstance): Place {
  const [address] = instance.addresses;
  switch (address.type) {
    case "ip":
      return { address: address.ip, port: address.port, isSocketFile: false };
    case "hostname":
      return { address: address.hostname, port: address.port, isSocketFile: false };
    case "unix":
      return { address: address.path, port: 0, isSocketFile: true };
  }
}

/** All addresses of an endpoint, primary first. */
export function addressTexts(instance: CatalogInstance): string[] {
  return instance.addresses.map((a) => (a.type === "ip" ? a.ip : a.type === "hostname" ? a.hostname : a.path));
}

/** An endpoint as `/debug/endpointShardz` of istiod has it, with three members of our own: `Health`, `Priority` and `Findings`. */
export function endpointShape(entry: CatalogEntry, instance: CatalogInstance, registry: string): object {
  const { service } = entry;
  return {
    Labels: sortedRecord(Object.entries(instance.labels)),
    Addresses: addressTexts(instance),
    ServicePortName: instance.servicePort,
    LegacyClusterPortKey: service.ports.find((port) => port.name === instance.servicePort)?.number ?? 0,
    ServiceAccount: instance.serviceAccount,
    Network: instance.network,
    Locality: { Label: localityLabel(instance.locality), ClusterID: splitRegistry(registry).name },
    EndpointPort: placeOf(instance).port,
    LbWeight: instance.weight,
    TLSMode: instance.tls,
    Namespace: service.namespace,
    WorkloadName: "",
    HostName: "",
    SubDomain: "",
    HealthStatus: healthStatuses[instance.healthStatus],
    SendUnhealthyEndpoints: false,
    NodeName: "",
    Health: instance.healthStatus,
    Priority: instance.priority,
    Findings: instance.findings,
  };
}

/**
 * An endpoint as `/debug/endpointz` of Pilot 1.0 has it (its `ServiceInstance`), with four members of our own at the end.
 */
export function instanceShape(entry: CatalogEntry, port: Port, instance: CatalogInstance): object {
  const { service } = entry;
  const place = placeOf(instance);
  const az = localityLabel(instance.locality);
  return {
    endpoint: {
      Family: place.isSocketFile ? 1 : 0,
      Address: place.address,
      Port: place.port,
      ServicePort: portShape(port),
      UID: instance.id,
    },
    service: {
      hostname: service.hostname,
      ...(service.addresses[0] !== undefined && { address: service.addresses[0] }),
      ports: service.ports.map(portShape),
      MeshExternal: service.meshExternal,
      Resolution: resolutions[service.resolution],
      ...(service.createdAt !== undefined && { creationTime: timestamp(service.createdAt) }),
    },
    labels: sortedRecord(Object.entries(instance.labels)),
    ...(az !== "" && { az }),
    ...(instance.serviceAccount !== "" && { serviceaccount: instance.serviceAccount }),
    weight: instance.weight,
    health: instance.healthStatus,
    priority: instance.priority,
    registries: instance.provenance.map(({ registry }) => registry),
  };
}

/** Endpoints of one port, sorted by address. */
export function instancesOfPort(entry: CatalogEntry, port: Port): CatalogInstance[] {
  return sortedBy(
    entry.instances.filter((instance) => instance.servicePort === port.name),
    (instance) => `${hostPort(instance)} ${instance.id}`,
  );
}

/** `address:port`, with brackets around IPv6; the path of a Unix socket. */
export function hostPort(instance: CatalogInstance): string {
  const { address, port, isSocketFile } = placeOf(instance);
  if (isSocketFile) return address;
  return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}

/** RFC 3339, as Go writes a time. */
export function timestamp(epochMs: number): string {
  return new Date(epochMs).toISOString();
}
