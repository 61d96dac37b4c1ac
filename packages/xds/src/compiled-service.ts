import { ClusterSchema } from "@signalbox/envoy-api/envoy/config/cluster/v3/cluster";
import type { CatalogEntry, CatalogInstance, Labels, Locality, Port } from "@signalbox/model";
import { portPolicy, type DestinationPolicy } from "@signalbox/traffic";
import { resourceOf, type Resource } from "@signalbox/xds-server";
import type { AppliedRules } from "./applied-rules.ts";
import { clusterDiscovery, serviceCluster, type Capture, type ClusterDiscovery } from "./clusters.ts";
import { encodeEdsCluster, encodeGrpcEdsCluster } from "./eds-cluster.ts";
import { encodeAssignment, localityGroups, type EndpointAddresses } from "./endpoints.ts";
import { grpcCluster, grpcDiscovery } from "./grpc.ts";
import type { MeshSettings } from "./mesh.ts";
import { encoded } from "./messages.ts";
import { outboundCluster } from "./names.ts";
import type { OutboundPort } from "./outbound-port.ts";
import { portKind } from "./port-kind.ts";
import { EncodedParts } from "./encoded-parts.ts";
import {
  acceptedAccounts,
  policyCluster,
  policyDiscovery,
  policyGrpcCluster,
  policyGroups,
  type PolicyTarget,
} from "./traffic-policy/policy-cluster.ts";

/** For whom clusters and assignments are made. Routers are a kind of "direct" that looks for no protocol in what clients send. */
export type Flavour = Capture | "router" | "grpc";

/** The clusters of a service, and an assignment for each that asks for one. */
export interface ServiceResources {
  readonly clusters: readonly Resource[];
  readonly assignments: readonly Resource[];
}

interface ClusterResources {
  readonly discovery: ClusterDiscovery;
  readonly cluster: Resource;
  readonly assignment: Resource | undefined;
  /** What of the endpoints stands in the cluster itself; equal text, equal cluster. */
  readonly inCluster: string;
}

const nowhere: Locality = { region: "", zone: "", subzone: "" };

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
  /** By cluster name. */
  readonly #resources = new Map<Flavour, ReadonlyMap<string, ClusterResources>>();
  #previous: CompiledService | undefined;

  /**
   * Encodes what most clients ask for. Throws when the entry cannot be encoded. `previous` lends what did not change:
   * new endpoints leave clusters and virtual hosts as they are. `destination` brings clusters of subsets and changes all.
   */
  constructor(entry: CatalogEntry, settings: MeshSettings, previous?: CompiledService, rules?: AppliedRules) {
    this.entry = entry;
    this.host = entry.service.hostname.toLowerCase();
    this.#settings = settings;
    this.rules = rules;
    const sameService = previous?.entry.versions.service === entry.versions.service;
    const sameRules = previous?.rules?.key === rules?.key;
    const samePolicy = previous?.rules?.destination?.version === rules?.destination?.version;
    this.encoded = sameService && sameRules ? previous.encoded : new EncodedParts(entry.service, settings, rules);
    this.#previous = sameService && samePolicy ? previous : undefined;
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
    const all = [...this.#byName(flavour).values()];
    return {
      clusters: all.map(({ cluster }) => cluster),
      assignments: all.flatMap(({ assignment }) => (assignment === undefined ? [] : [assignment])),
    };
  }

  #byName(flavour: Flavour): ReadonlyMap<string, ClusterResources> {
    let resources = this.#resources.get(flavour);
    if (resources === undefined) {
      resources = flavour === "router" && !this.ports.some(isSniffed) ? this.#byName("direct") : this.#make(flavour);
      this.#resources.set(flavour, resources);
    }
    return resources;
  }

  #make(flavour: Flavour): ReadonlyMap<string, ClusterResources> {
    const { bare, destination } = this.rules ?? {};
    const { hostname } = this.entry.service;
    const made = new Map<string, ClusterResources>();
    for (const outbound of bare === true ? [] : this.ports) {
      const { number } = outbound.port;
      const name = outboundCluster(number, hostname);
      // What came to a router as HTTP/2 is no sign that a port without a protocol takes it.
      const port: Port =
        flavour === "router" && isSniffed(outbound) ? { ...outbound.port, protocol: "TCP" } : outbound.port;
      if (destination === undefined) made.set(name, this.#plain(name, port, flavour));
      else
        for (const target of this.#targets(port, destination)) made.set(target.name, this.#governed(target, flavour));
    }
    return made;
  }

  /** The cluster of a port that no rule governs. */
  #plain(name: string, port: Port, flavour: Flavour): ClusterResources {
    const { service, instances } = this.entry;
    const discovery =
      flavour === "grpc"
        ? grpcDiscovery(service, port, instances)
        : clusterDiscovery(service, port, instances, captureOf(flavour));
    const cluster =
      this.#unchanged(name, flavour, discovery, "") ?? resourceOf(name, this.#cluster(name, port, flavour, discovery));
    const groups = discovery === "EDS" ? localityGroups(instances, port.name, addressesFor(flavour)) : undefined;
    const assignment = groups && resourceOf(name, encodeAssignment(name, groups, this.#unserved(port)));
    return { discovery, cluster, assignment, inCluster: "" };
  }

  /** The whole service at a port, and its subsets. Hosts of a dynamic service come with the requests: it has no subsets. */
  #targets(port: Port, destination: DestinationPolicy): readonly PolicyTarget[] {
    const { service, instances } = this.entry;
    const place = { locality: destination.locality ?? nowhere, labels: destination.labels ?? {} };
    const subsets = service.resolution === "DYNAMIC_DNS" ? [] : destination.subsets;
    return [{ name: "", labels: {} }, ...subsets].map((subset) => ({
      name: outboundCluster(port.number, service.hostname, subset.name),
      service,
      port,
      subset: subset.name,
      instances: labelled(instances, subset.labels),
      policy: portPolicy(destination, port.number, subset.name),
      place,
      settings: this.#settings,
    }));
  }

  /** A cluster that rules govern. */
  #governed(target: PolicyTarget, flavour: Flavour): ClusterResources {
    const { instances, name, port, service } = target;
    const discovery =
      flavour === "grpc" ? grpcDiscovery(service, port, instances) : policyDiscovery(target, captureOf(flavour));
    const inCluster = flavour === "grpc" ? "" : acceptedAccounts(target).join(" ");
    const cluster =
      this.#unchanged(name, flavour, discovery, inCluster) ??
      resourceOf(
        name,
        encoded(
          ClusterSchema,
          flavour === "grpc"
            ? policyGrpcCluster(target, discovery)
            : policyCluster(target, discovery, captureOf(flavour)),
        ),
      );
    const groups = discovery === "EDS" ? policyGroups(target, addressesFor(flavour)) : undefined;
    const assignment = groups && resourceOf(name, encodeAssignment(name, groups, this.#unserved(port)));
    return { discovery, cluster, assignment, inCluster };
  }

  /** The part of the traffic that is to fail, in parts of a million. */
  #unserved(port: Port): number | undefined {
    const { unserved } = this.entry;
    // Names of ports come from outside.
    return unserved !== undefined && Object.hasOwn(unserved, port.name) ? unserved[port.name] : undefined;
  }

  /** The cluster as it was, where only endpoints differ and none of them stand in it. */
  #unchanged(name: string, flavour: Flavour, discovery: ClusterDiscovery, inCluster: string): Resource | undefined {
    if (discovery === "STRICT_DNS" || discovery === "LOGICAL_DNS") return undefined;
    const previous = this.#previous;
    const before = previous === undefined ? undefined : previous.#resources.get(flavour)?.get(name);
    return before?.discovery === discovery && before.inCluster === inCluster ? before.cluster : undefined;
  }

  #cluster(name: string, port: Port, flavour: Flavour, discovery: ClusterDiscovery): Uint8Array {
    const { service, instances } = this.entry;
    if (flavour === "grpc" && discovery === "EDS") return encodeGrpcEdsCluster(name, service, port, this.#settings);
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

function captureOf(flavour: Exclude<Flavour, "grpc">): Capture {
  return flavour === "router" ? "direct" : flavour;
}

function isSniffed({ port }: OutboundPort): boolean {
  return portKind(port.protocol) === "sniffed";
}

function addressesFor(flavour: Flavour): EndpointAddresses {
  return flavour === "grpc" ? "ip" : "ip-and-unix";
}

/** Endpoints that have all of these labels. */
function labelled(instances: readonly CatalogInstance[], labels: Labels): readonly CatalogInstance[] {
  const wanted = Object.entries(labels);
  if (wanted.length === 0) return instances;
  return instances.filter((instance) =>
    wanted.every(([key, value]) => Object.hasOwn(instance.labels, key) && instance.labels[key] === value),
  );
}
