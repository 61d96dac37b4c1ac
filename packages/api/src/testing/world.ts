import { entryVersions, instanceKey, registryId, serviceKey } from "@signalbox/model";
import type {
  Address,
  Catalog,
  CatalogEntry,
  CatalogInstance,
  HealthStatus,
  RegistryId,
  Service,
} from "@signalbox/model";
import type { ExplainedCandidate, ServiceExplanation } from "@signalbox/policy";
import type { ApiSources } from "../sources.ts";

/** Two registries that tell of the same services. */
export const eureka = registryId("eureka", "dc1");
export const shop = registryId("kubernetes", "shop");
/** The time in tests. */
export const now = 1_800_000_000_000;

export function ip(address: string, port = 8080): Address {
  return { type: "ip", ip: address, port };
}

export interface InstanceInput {
  readonly addresses: readonly [Address, ...Address[]];
  readonly port?: string;
  readonly health?: HealthStatus;
  readonly weight?: number;
  readonly priority?: number;
  readonly registries?: readonly [RegistryId, ...RegistryId[]];
}

export function entry(namespace: string, hostname: string, instances: readonly InstanceInput[] = []): CatalogEntry {
  const service: Service = {
    hostname,
    namespace,
    ports: [{ name: "http", number: 80, protocol: "HTTP" }],
    resolution: "STATIC",
    addresses: [],
    labels: { app: "x" },
    meshExternal: false,
    exportTo: [],
    serviceAccounts: [],
    provenance: { registry: shop, object: `Service ${hostname}` },
  };
  const list = instances.map(catalogInstance);
  const registries = [...new Set(list.flatMap(({ provenance }) => provenance.map(({ registry }) => registry)))];
  return {
    key: serviceKey(service),
    service,
    instances: list,
    registries,
    versions: entryVersions(service, list),
  };
}

function catalogInstance(input: InstanceInput, index: number): CatalogInstance {
  const [first, ...rest] = input.registries ?? [shop];
  const provenance = (registry: RegistryId) => ({ registry, object: `Endpoints ${registry}` });
  return {
    id: `i${index}`,
    servicePort: input.port ?? "http",
    addresses: input.addresses,
    labels: { version: "v1" },
    locality: { region: "r", zone: "z", subzone: "" },
    network: "",
    serviceAccount: "",
    tls: "disabled",
    healthStatus: input.health ?? "HEALTHY",
    weight: input.weight ?? 1,
    priority: input.priority ?? 0,
    provenance: [provenance(first), ...rest.map(provenance)],
    findings: [{ stage: "drift", code: "CONFIRMED", since: now - 1000 }],
  };
}

export function catalog(entries: readonly CatalogEntry[]): Catalog {
  return {
    revision: { epoch: "e", sequence: 1 },
    entries: new Map(entries.map((one) => [one.key, one])),
    workloads: new Map(),
    objects: new Map(),
  };
}

export function candidate(address: string, more: Partial<ExplainedCandidate> = {}): ExplainedCandidate {
  return {
    registry: eureka,
    object: "APP ORDERS",
    id: `orders-${address}`,
    servicePort: "http",
    address,
    reported: { healthStatus: "HEALTHY", weight: 1 },
    served: { healthStatus: "HEALTHY", weight: 1, priority: 0 },
    outcome: { stage: "merge", code: "SERVED", detail: "" },
    findings: [],
    ...more,
  };
}

/** Explains a service of the catalog: every endpoint is served as its first registry told it. */
export function explanation(of: CatalogEntry, more: Partial<ServiceExplanation> = {}): ServiceExplanation {
  return {
    service: of.key,
    aliases: [],
    identities: [{ registry: shop, name: of.service.hostname }],
    merge: { type: "union" },
    candidates: of.instances.map(({ addresses, id, servicePort, provenance }) =>
      candidate(instanceKey(addresses[0]), { id, servicePort, registry: provenance[0].registry }),
    ),
    conflicts: [],
    lints: [],
    departures: [],
    ...more,
  };
}

/** Sources with only what must be there. */
export function sourcesOf(entries: readonly CatalogEntry[], more: Partial<ApiSources> = {}): ApiSources {
  const known = catalog(entries);
  return {
    catalog: () => known,
    sources: () => [],
    explain: (key) => {
      const found = known.entries.get(key);
      return found && explanation(found);
    },
    ...more,
  };
}
