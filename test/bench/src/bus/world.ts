import { registryId, serviceKey } from "@signalbox/model";
import type { Catalog, CatalogEntry, CatalogInstance, Provenance, ServiceKey } from "@signalbox/model";
import { Fleet, type FleetInstance } from "../fleet.ts";

/** The catalog that travels. */
export interface WorldSize {
  readonly services: number;
  /** Instances of each service; with `skewed`, most have one, a few have nearly six times as many, on average three quarters. */
  readonly instances: number;
  readonly skewed: boolean;
}

const registry = registryId("bench", "world");
/** In a skewed world, the largest service has so many times the instances of an even one; the exponent makes most small. */
const largest = 5.8;
const skew = 7.5;

/** The same catalog in every process and every run: all of it follows from the size alone. */
export class World {
  readonly size: WorldSize;
  readonly #fleet: Fleet;

  constructor(size: WorldSize) {
    this.size = size;
    this.#fleet = new Fleet({
      services: size.services,
      instances: Math.ceil(size.instances * (size.skewed ? largest : 1)),
    });
  }

  /** All of it. */
  content(): Omit<Catalog, "revision"> {
    const entries = new Map<ServiceKey, CatalogEntry>();
    for (let service = 0; service < this.size.services; service++) {
      const entry = this.#entry(service, undefined);
      entries.set(entry.key, entry);
    }
    return { entries, workloads: new Map(), objects: new Map() };
  }

  /** A service after the change with this number, in which its first instance moved. */
  changed(change: number): CatalogEntry {
    return this.#entry(change % this.size.services, change);
  }

  /** Where the instance is after the change with this number. */
  newHome(change: number): string {
    return this.#fleet.newHome(change);
  }

  #entry(service: number, change: number | undefined): CatalogEntry {
    const { service: hostname, ...names } = namesOf(this.#fleet.service(service));
    const object = `services/${hostname}`;
    const provenance: Provenance = { registry, object, sourceVersion: String(1_000_000 + service) };
    // At least one, which can change.
    const count = Math.max(1, this.#instancesOf(service));
    const instances = this.#fleet
      .instancesOf(service)
      .slice(0, count)
      .map((one, at) =>
        instanceOf(at === 0 && change !== undefined ? { ...one, ip: this.newHome(change) } : one, provenance),
      );
    return {
      key: serviceKey({ hostname, namespace: names.namespace }),
      service: {
        hostname,
        namespace: names.namespace,
        ports: [{ name: "http", number: 8080, protocol: "HTTP" }],
        resolution: "STATIC",
        addresses: [`240.${1 + Math.floor(service / 65_536)}.${Math.floor(service / 256) % 256}.${service % 256}`],
        labels: { app: names.app, team: `team-${service % 40}` },
        meshExternal: false,
        exportTo: [],
        serviceAccounts: [],
        provenance,
      },
      instances,
      registries: [registry],
      versions: { service: `s${service}`, instances: `i${service}-${change ?? "first"}` },
    };
  }

  #instancesOf(service: number): number {
    const { instances, services, skewed } = this.size;
    if (!skewed) return instances;
    // Large and small ones mixed: neighbours in the catalog are not alike.
    const place = ((service * 7919) % services) / services;
    return Math.round(instances * largest * place ** skew);
  }
}

function namesOf(app: string) {
  const namespace = `shop-${Number(app.slice(-2)) % 20}`;
  return { app, namespace, service: `${app}.${namespace}.svc.cluster.local` };
}

function instanceOf({ id, ip, port, service, zone }: FleetInstance, provenance: Provenance): CatalogInstance {
  return {
    id,
    servicePort: "http",
    addresses: [{ type: "ip", ip, port }],
    labels: { app: service, version: `v${id.length % 3}` },
    locality: { region: "region-1", zone, subzone: "" },
    network: "",
    serviceAccount: "",
    tls: "disabled",
    healthStatus: "HEALTHY",
    weight: 1,
    priority: 0,
    provenance: [{ ...provenance, object: `${provenance.object}/${id}` }],
    findings: [],
  };
}
