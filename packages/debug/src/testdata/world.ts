import { entryVersions, objectKey, registryId, serviceKey } from "@signalbox/model";
import type {
  Address,
  Catalog,
  CatalogEntry,
  CatalogInstance,
  ConfigObject,
  HealthStatus,
  Labels,
  Port,
  RegistryId,
  Service,
} from "@signalbox/model";
import type { ClientView, DebugSources, SubscriptionView } from "../sources.ts";

/** The registry that most of the test's services come from. */
export const shop = registryId("kubernetes", "shop");
/** A second one. */
export const legacy = registryId("consul", "dc1");

export interface InstanceInput {
  readonly address: Address;
  readonly port?: string;
  readonly labels?: Labels;
  readonly health?: HealthStatus;
  readonly registries?: readonly [RegistryId, ...RegistryId[]];
  readonly account?: string;
  readonly zone?: string;
}

export function ip(address: string, port: number): Address {
  return { type: "ip", ip: address, port };
}

function instance(input: InstanceInput, index: number): CatalogInstance {
  const [first, ...rest] = input.registries ?? [shop];
  const provenance = (registry: RegistryId) => ({ registry, object: "Endpoints web" });
  return {
    id: `i${index}`,
    servicePort: input.port ?? "http",
    addresses: [input.address],
    labels: input.labels ?? {},
    locality: { region: input.zone === undefined ? "" : "r1", zone: input.zone ?? "", subzone: "" },
    network: "",
    serviceAccount: input.account ?? "",
    tls: "disabled",
    healthStatus: input.health ?? "HEALTHY",
    weight: 1,
    priority: 0,
    provenance: [provenance(first), ...rest.map(provenance)],
    findings: [],
  };
}

export const http: Port = { name: "http", number: 80, protocol: "HTTP" };

export function entry(
  hostname: string,
  instances: readonly InstanceInput[] = [],
  more: Partial<Service> = {},
): CatalogEntry {
  const service: Service = {
    hostname,
    namespace: "default",
    ports: [http],
    resolution: "STATIC",
    addresses: [],
    labels: {},
    meshExternal: false,
    exportTo: [],
    serviceAccounts: [],
    provenance: { registry: shop, object: `Service ${hostname}`, sourceVersion: "7" },
    ...more,
  };
  const list = instances.map(instance);
  const registries = [...new Set(list.flatMap(({ provenance }) => provenance.map(({ registry }) => registry)))];
  return {
    key: serviceKey(service),
    service,
    instances: list,
    registries: registries.length > 0 ? registries : [shop],
    versions: entryVersions(service, list),
  };
}

export function configObject(kind: string, name: string, spec: unknown = {}): ConfigObject {
  return {
    kind,
    namespace: "default",
    name,
    labels: {},
    annotations: {},
    spec,
    provenance: { registry: shop, object: `${kind} default/${name}` },
  };
}

export function catalog(
  entries: readonly CatalogEntry[],
  objects: readonly ConfigObject[] = [],
  sequence = 1,
): Catalog {
  return {
    revision: { epoch: "e1", sequence },
    entries: new Map(entries.map((e) => [e.key, e])),
    workloads: new Map(),
    objects: new Map(objects.map((o) => [objectKey(o), o])),
  };
}

export const cds = "type.googleapis.com/envoy.config.cluster.v3.Cluster";
export const eds = "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment";

export function client(stream: number, nodeId: string, more: Partial<ClientView> = {}): ClientView {
  return {
    stream,
    peer: "127.0.0.1:4000",
    identities: [],
    method: "/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources",
    protocol: "sotw",
    nodeId,
    nodeCluster: "web",
    metadata: {},
    userAgent: "envoy",
    connectedAt: Date.UTC(2026, 0, 2, 3, 4, 5),
    subscriptions: [],
    ...more,
  };
}

export function subscription(resourceType: string, more: Partial<SubscriptionView> = {}): SubscriptionView {
  return { resourceType, wildcard: false, names: 0, ...more };
}

export function sources(more: Partial<DebugSources> = {}): DebugSources {
  return {
    version: { version: "0.1.0" },
    readiness: () => [],
    catalog: () => catalog([]),
    registries: () => [],
    clients: () => [],
    ...more,
  };
}
