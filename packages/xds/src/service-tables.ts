import { ClusterSchema } from "@signalbox/envoy-api/envoy/config/cluster/v3/cluster";
import { anyClient, type Client } from "@signalbox/traffic";
import { resourceOf } from "@signalbox/xds-server";
import { meshClusters } from "./clusters.ts";
import type { CompiledService, Flavour } from "./compiled-service.ts";
import type { Directory, Touched } from "./directory.ts";
import type { TranslationFault } from "./translation-fault.ts";
import type { MeshSettings } from "./mesh.ts";
import { encoded } from "./messages.ts";
import { OverlayTable, uncovered, type Cover } from "./overlay-table.ts";
import type { Sight } from "./sight.ts";
import type { Steps } from "@signalbox/slices";
import { ResourceTable } from "./tables.ts";

interface Names {
  readonly clusters: ReadonlySet<string>;
  readonly assignments: ReadonlySet<string>;
}

const none: Names = { clusters: new Set(), assignments: new Set() };

/** Clusters and assignments for clients of one flavour and sight; those who see a few things otherwise share them too. Made empty. */
export class SharedTables {
  readonly clusters = new ResourceTable();
  readonly assignments = new ResourceTable();
  readonly flavour: Flavour;
  readonly #sight: Sight;
  readonly #held = new Map<string, Names>();
  readonly #faults = new Map<string, TranslationFault>();

  constructor(sight: Sight, flavour: Flavour, settings: MeshSettings) {
    this.#sight = sight;
    this.flavour = flavour;
    const mesh = flavour === "grpc" ? [] : meshClusters(settings);
    for (const cluster of mesh) this.clusters.put(resourceOf(cluster.name, encoded(ClusterSchema, cluster)));
  }

  /** Puts in everything in sight. What changes meanwhile has to be told to `updating`. */
  *filling(): Steps<undefined> {
    for (const host of [...this.#sight.hosts()]) {
      this.#update(host);
      yield;
    }
    this.settle();
    return undefined;
  }

  /** What cannot be put into the tables now. */
  get faults(): Iterable<TranslationFault> {
    return this.#faults.values();
  }

  /** Brings the tables to what the directory says of the touched hosts, and of those that failed before. */
  *updating({ hosts }: Touched): Steps<undefined> {
    for (const host of new Set([...this.#faults.keys(), ...hosts.keys()])) {
      this.#update(host);
      yield;
    }
    return undefined;
  }

  /** Names of the resources of a host. */
  namesOf(host: string): Names {
    return this.#held.get(host) ?? none;
  }

  /** Shows what was updated. */
  settle(): void {
    this.clusters.settle();
    this.assignments.settle();
  }

  #update(host: string): void {
    const service = this.#sight.visible(host);
    const before = this.namesOf(host);
    this.#faults.delete(host);
    try {
      const { clusters, assignments } = resourcesOf(service, this.flavour);
      const held = {
        clusters: this.clusters.replace(before.clusters, clusters),
        assignments: this.assignments.replace(before.assignments, assignments),
      };
      if (service === undefined) this.#held.delete(host);
      else this.#held.set(host, held);
    } catch (cause) {
      this.#faults.set(host, { subject: service?.entry.key ?? host, cause });
    }
  }
}

/**
 * The shared tables as clients of one namespace and equal rules see them. Costs what they see otherwise. Made empty: that is put in by `filling`.
 */
export class ServiceTables {
  readonly shared: SharedTables;
  readonly clusters: OverlayTable;
  readonly assignments: OverlayTable;
  readonly #directory: Directory;
  readonly #client: Client;
  readonly #held = new Map<string, { readonly clusters: Cover; readonly assignments: Cover }>();
  readonly #faults = new Map<string, TranslationFault>();

  constructor(directory: Directory, shared: SharedTables, client: Client) {
    this.#directory = directory;
    this.shared = shared;
    this.#client = client;
    this.clusters = new OverlayTable(shared.clusters);
    this.assignments = new OverlayTable(shared.assignments);
  }

  /** Puts in what these clients see otherwise. What changes meanwhile has to be told to `updating`. */
  *filling(): Steps<undefined> {
    for (const host of yield* this.#directory.particular(this.#client, "")) {
      this.#update(host);
      yield;
    }
    this.settle();
    return undefined;
  }

  /** What cannot be put into the tables now. */
  get faults(): Iterable<TranslationFault> {
    return this.#faults.values();
  }

  /** Follows the shared tables, which must be brought up to date first. */
  *updating({ hosts }: Touched): Steps<undefined> {
    for (const host of new Set([...this.#faults.keys(), ...hosts.keys()])) {
      this.#update(host);
      yield;
    }
    return undefined;
  }

  /** Shows what was updated. */
  settle(): void {
    this.clusters.settle();
    this.assignments.settle();
  }

  #update(host: string): void {
    const before = this.#held.get(host);
    const differs = this.#directory.isParticular(host, this.#client, "");
    if (!differs && before === undefined) return;
    const { clusters: hiddenClusters, assignments: hiddenAssignments } = this.shared.namesOf(host);
    const service = this.#directory.visible(host, this.#client);
    const same = !differs || service === this.#directory.visible(host, anyClient);
    this.#faults.delete(host);
    try {
      const { clusters, assignments } = resourcesOf(same ? undefined : service, this.shared.flavour);
      const held = {
        clusters: this.clusters.cover(before?.clusters ?? uncovered, same ? none.clusters : hiddenClusters, clusters),
        assignments: this.assignments.cover(
          before?.assignments ?? uncovered,
          same ? none.assignments : hiddenAssignments,
          assignments,
        ),
      };
      if (same) this.#held.delete(host);
      else this.#held.set(host, held);
    } catch (cause) {
      this.#faults.set(host, { subject: service?.entry.key ?? host, cause });
    }
  }
}

function resourcesOf(service: CompiledService | undefined, flavour: Flavour) {
  return service?.resources(flavour) ?? { clusters: [], assignments: [] };
}
