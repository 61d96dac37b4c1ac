import {
  entryVersions,
  registryId,
  serviceKey,
  type Address,
  type Catalog,
  type CatalogEntry,
  type CatalogInstance,
  type Port,
  type Service,
} from "@signalbox/model";

/** A service in the few words that a test needs; everything else has a default. */
export interface ServiceSketch extends Partial<Omit<Service, "ports">> {
  readonly hostname: string;
  readonly ports: readonly (Omit<Port, "name"> & { readonly name?: string })[];
  readonly instances?: readonly InstanceSketch[];
}

/** An endpoint in few words: `port` is the service port's name, `address` is `ip:port`, `name:port` or `unix:/path`. */
export interface InstanceSketch extends Partial<Omit<CatalogInstance, "addresses">> {
  readonly address: string;
  readonly more?: readonly string[];
}

const provenance = { registry: registryId("test", "one"), object: "test" };

/** A catalog entry from its sketch. */
export function entryOf({ instances = [], ports: portSketches, ...rest }: ServiceSketch): CatalogEntry {
  const ports = portSketches.map((port) => ({ name: `p${String(port.number)}`, ...port }));
  const service: Service = {
    namespace: "default",
    resolution: "STATIC",
    addresses: [],
    labels: {},
    meshExternal: false,
    exportTo: [],
    serviceAccounts: [],
    provenance,
    ...rest,
    ports,
  };
  const endpoints = instances.map(({ address, more = [], ...instance }): CatalogInstance => ({
    id: address,
    servicePort: ports[0]?.name ?? "",
    addresses: [addressOf(address), ...more.map(addressOf)],
    labels: {},
    locality: { region: "", zone: "", subzone: "" },
    network: "",
    serviceAccount: "",
    tls: "disabled",
    healthStatus: "HEALTHY",
    weight: 1,
    priority: 0,
    provenance: [provenance],
    findings: [],
    ...instance,
  }));
  return {
    key: serviceKey(service),
    service,
    instances: endpoints,
    registries: [provenance.registry],
    versions: entryVersions(service, endpoints),
  };
}

/** A catalog of these services. */
export function catalogOf(entries: readonly CatalogEntry[], sequence = 1): Catalog {
  return {
    revision: { epoch: "1", sequence },
    entries: new Map(entries.map((entry) => [entry.key, entry])),
    workloads: new Map(),
    objects: new Map(),
  };
}

function addressOf(text: string): Address {
  if (text.startsWith("unix:")) return { type: "unix", path: text.slice(5) };
  const colon = text.lastIndexOf(":");
  const host = text.slice(0, colon).replace(/^\[|\]$/g, "");
  const port = Number(text.slice(colon + 1));
  return /^[\d.]+$|:/.test(host) ? { type: "ip", ip: host, port } : { type: "hostname", hostname: host, port };
}
