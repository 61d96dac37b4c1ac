import { ClusterSchema } from "@signalbox/envoy-api/envoy/config/cluster/v3/cluster";
import type { CatalogEntry, Port } from "@signalbox/model";
import { resourceOf, type Resource } from "@signalbox/xds-server";
import type { AppliedRules } from "./applied-rules.ts";
import { clusterDiscovery, serviceCluster, type Capture, type ClusterDiscovery } from "./clusters.ts";
import { encodeEdsCluster } from "./eds-cluster.ts";
import { encodeAssignment, localityGroups, type EndpointAddresses } from "./endpoints.ts";
import { grpcCluster, grpcDiscovery } from "./grpc.ts";
import type { MeshSettings } from "./mesh.ts";
import { encoded } from "./messages.ts";
import { outboundCluster } from "./names.ts";
import { type OutboundPort } from "./outbound-listeners.ts";
import { portKind } from "./port-kind.ts";
import { EncodedParts } from "./encoded-parts.ts";

/** For whom clusters and assignments are made. */
export type Flavour = Capture | "grpc";

/** The clusters of a service, and an assignment for each that asks for one. */
export interface ServiceResources {
  readonly clusters: readonly Resource[];
  readonly assignments: readonly Resource[];
}

interface PortResources {
  readonly discovery: ClusterDiscovery;
  readonly cluster: Resource;
  readonly assignment: Resource | undefined;
}

/** One service of the catalog with everything that was encoded for it. Immutable but for what it remembers. */
export class CompiledService {
  readonly entry: CatalogEntry;
  /** The hostname in the form that compares. */
  readonly host: string;
  readonly ports: readonly OutboundPort[];
  /** The rules that it was made with. */
  readonly rules: AppliedRules | undefined;
  /** Shared by all forms of the service that differ in endpoints only. */
  readonly encoded: EncodedParts;
  readonly #settings: MeshSettings;
  readonly #resources = new Map<Flavour, ReadonlyMap<number, PortResources>>();
  #previous: CompiledService | undefined;

  /**
   * Encodes what most clients ask for. Throws when the entry cannot be encoded. `previous` lends what did not change:
   * new endpoints leave clusters and virtual hosts as they are.
   */
  constructor(entry: CatalogEntry, settings: MeshSettings, previous?: CompiledService, rules?: AppliedRules) {
    this.entry = entry;
    this.host = entry.service.hostname.toLowerCase();
    this.#settings = settings;
    this.rules = rules;
    const sameService =
      previous?.entry.versions.service === entry.versions.service && previous.rules?.key === rules?.key;
    this.encoded = sameService ? previous.encoded : new EncodedParts(entry.service, settings, rules);
    this.#previous = sameService ? previous : undefined;
    this.ports = distinctPorts(entry).map((port) => ({
      service: entry.service,
      port,
      instances: entry.instances,
      encoded: this.encoded,
      ...(rules === undefined ? {} : { routing: rules.routing, destinations: rules.destinations }),
    }));
    for (const flavour of previous === undefined ? (["captured"] as const) : previous.#resources.keys())
      this.resources(flavour);
    this.#previous = undefined;
  }

  /** Clusters and assignments for clients of one flavour. The same service gives the same objects. */
  resources(flavour: Flavour): ServiceResources {
    const ports = [...this.#byPort(flavour).values()];
    return {
      clusters: ports.map(({ cluster }) => cluster),
      assignments: ports.flatMap(({ assignment }) => (assignment === undefined ? [] : [assignment])),
    };
  }

  #byPort(flavour: Flavour): ReadonlyMap<number, PortResources> {
    let resources = this.#resources.get(flavour);
    if (resources === undefined) {
      const ports = this.rules?.bare === true ? [] : this.ports;
      resources = new Map(ports.map(({ port }) => [port.number, this.#portResources(port, flavour)] as const));
      this.#resources.set(flavour, resources);
    }
    return resources;
  }

  #portResources(port: Port, flavour: Flavour): PortResources {
    const { service, instances } = this.entry;
    const name = outboundCluster(port.number, service.hostname);
    const discovery =
      flavour === "grpc"
        ? grpcDiscovery(service, port, instances)
        : clusterDiscovery(service, port, instances, flavour);
    const previous = this.#previous;
    const before = previous === undefined ? undefined : previous.#resources.get(flavour)?.get(port.number);
    const inline = discovery === "STRICT_DNS" || discovery === "LOGICAL_DNS";
    const cluster =
      before !== undefined && !inline && before.discovery === discovery
        ? before.cluster
        : resourceOf(name, this.#cluster(name, port, flavour, discovery));
    const addresses: EndpointAddresses = flavour === "grpc" ? "ip" : "ip-and-unix";
    const assignment =
      discovery === "EDS"
        ? resourceOf(name, encodeAssignment(name, localityGroups(instances, port.name, addresses)))
        : undefined;
    return { discovery, cluster, assignment };
  }

  #cluster(name: string, port: Port, flavour: Flavour, discovery: ClusterDiscovery): Uint8Array {
    const { service, instances } = this.entry;
    if (flavour === "grpc")
      return encoded(ClusterSchema, grpcCluster(service, port, instances, this.#settings, discovery));
    if (discovery === "EDS") return encodeEdsCluster(name, service, port, this.#settings);
    return encoded(ClusterSchema, serviceCluster(service, port, instances, this.#settings, discovery));
  }
}

/** Ports that clients get, one for each number. */
function distinctPorts(entry: CatalogEntry): readonly Port[] {
  const ports = new Map<number, Port>();
  for (const port of entry.service.ports) {
    if (portKind(port.protocol) !== "none" && !ports.has(port.number)) ports.set(port.number, port);
  }
  return [...ports.values()].sort((a, b) => a.number - b.number);
}
