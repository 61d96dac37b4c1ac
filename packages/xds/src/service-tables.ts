import { ClusterSchema } from "@signalbox/envoy-api/envoy/config/cluster/v3/cluster";
import { resourceOf } from "@signalbox/xds-server";
import { meshClusters } from "./clusters.ts";
import type { CompiledService, Flavour } from "./compiled-service.ts";
import type { Directory, Touched, TranslationFault } from "./directory.ts";
import type { MeshSettings } from "./mesh.ts";
import { encoded } from "./messages.ts";
import { ResourceTable } from "./tables.ts";

const none: ReadonlySet<string> = new Set();
interface Held {
  readonly clusters: ReadonlySet<string>;
  readonly assignments: ReadonlySet<string>;
}

/** Clusters and assignments that clients of one flavour see from one namespace. */
export class ServiceTables {
  readonly clusters = new ResourceTable();
  readonly assignments = new ResourceTable();
  readonly #directory: Directory;
  readonly #flavour: Flavour;
  readonly #namespace: string;
  readonly #held = new Map<string, Held>();

  constructor(
    directory: Directory,
    flavour: Flavour,
    namespace: string,
    settings: MeshSettings,
    faults: TranslationFault[],
  ) {
    this.#directory = directory;
    this.#flavour = flavour;
    this.#namespace = namespace;
    const mesh = flavour === "grpc" ? [] : meshClusters(settings);
    for (const cluster of mesh) this.clusters.put(resourceOf(cluster.name, encoded(ClusterSchema, cluster)));
    for (const host of directory.hosts()) this.#update(host, faults);
    this.clusters.takeChanged();
    this.assignments.takeChanged();
  }

  /** Brings the tables to what the directory says of the touched hosts. */
  update({ hosts }: Touched, faults: TranslationFault[]): void {
    for (const host of hosts.keys()) this.#update(host, faults);
  }

  #update(host: string, faults: TranslationFault[]): void {
    const service = this.#visible(host);
    const before = this.#held.get(host);
    if (service === undefined && before === undefined) return;
    try {
      const { clusters, assignments } = service?.resources(this.#flavour) ?? { clusters: [], assignments: [] };
      const held = {
        clusters: this.clusters.replace(before?.clusters ?? none, clusters),
        assignments: this.assignments.replace(before?.assignments ?? none, assignments),
      };
      if (service === undefined) this.#held.delete(host);
      else this.#held.set(host, held);
    } catch (cause) {
      faults.push({ subject: service?.entry.key ?? host, cause });
    }
  }

  /** An alias whose target is known has nothing of its own. */
  #visible(host: string): CompiledService | undefined {
    const service = this.#directory.resolve(host, this.#namespace);
    if (service === undefined || this.#directory.target(service, this.#namespace) !== undefined) return undefined;
    return service;
  }
}
