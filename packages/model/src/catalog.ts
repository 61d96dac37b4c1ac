import type { ObjectKey, RegistryId, ServiceKey, WorkloadKey } from "./keys.ts";
import type { Provenance, Service, ServiceInstance } from "./service.ts";
import type { ConfigObject, Workload } from "./workload.ts";

/** Why an endpoint is as it is: verdicts and holds with their reason codes. For explain and debug; not hashed. */
export interface Finding {
  readonly stage: string;
  readonly code: string;
  /** Epoch milliseconds. */
  readonly since: number;
}

/** An endpoint after filters, health, drift, guards and merge. */
export interface CatalogInstance extends Omit<ServiceInstance, "provenance"> {
  /** Envoy's locality priority; 0 is first. */
  readonly priority: number;
  /** Every registry that knows this endpoint, by registry precedence. */
  readonly provenance: readonly [Provenance, ...Provenance[]];
  readonly findings: readonly Finding[];
}

/** One service of the catalog with its endpoints. */
export interface CatalogEntry {
  readonly key: ServiceKey;
  readonly service: Service;
  readonly instances: readonly CatalogInstance[];
  /**
   * The part of the traffic that is to fail, in parts of a million from 1 to 999,999, by name of the service port: what nobody is there to
   * take and nobody else shall. Absent: none. Part of the second version.
   */
  readonly unserved?: Readonly<Record<string, number>>;
  /** The registries that contribute, by precedence. */
  readonly registries: readonly RegistryId[];
  /** Content hashes, stable across processes. Endpoint churn changes only the second: clusters are left alone. */
  readonly versions: { readonly service: string; readonly instances: string };
}

/** Total order within one epoch. The bus gives a writer its epoch when it begins to lead; consumers never compare across epochs. */
export interface Revision {
  readonly epoch: string;
  readonly sequence: number;
}

/** Everything that is known, at one revision. */
export interface Catalog {
  readonly revision: Revision;
  readonly entries: ReadonlyMap<ServiceKey, CatalogEntry>;
  readonly workloads: ReadonlyMap<WorkloadKey, Workload>;
  readonly objects: ReadonlyMap<ObjectKey, ConfigObject>;
}

/** What changed in a keyed set. A key is in at most one of the two lists, and once. */
export interface Delta<K, V> {
  readonly upserted: readonly V[];
  readonly removed: readonly K[];
}

/** What changed between two catalogs. */
export interface CatalogDelta {
  readonly entries: Delta<ServiceKey, CatalogEntry>;
  readonly workloads: Delta<WorkloadKey, Workload>;
  readonly objects: Delta<ObjectKey, ConfigObject>;
}
