import { workloadKey, type ConfigObject, type Workload } from "@signalbox/model";
import { localityOf, tlsOf } from "./service-entry-records.ts";
import { checkWorkloadEntry, type WorkloadEntry } from "./workload-entry.ts";

/** Where a workload belongs. */
export interface WorkloadContext {
  /** First part of the workload's key: the cluster, or the name of the registry that knows it. */
  readonly cluster: string;
}

/**
 * The workload of a WorkloadEntry. It counts as ready: the object has no health of its own. `namedPorts`, `weight` and `tls` are for the instances
 * that a ServiceEntry's workload selector makes of it. As in Istio
 * the labels of the object's metadata are the workload's too, and win over those of the spec. Reads what it can and never throws; check the
 * object first.
 */
export function workloadEntryToWorkload(
  object: ConfigObject,
  context: WorkloadContext,
  entry: WorkloadEntry = checkWorkloadEntry(object).value,
): Workload {
  const named = Object.entries(entry.ports);
  return {
    key: workloadKey(context.cluster, object.namespace, object.name),
    addresses: entry.address === "" ? [] : [entry.address],
    hostNetwork: false,
    ports: [...new Set(named.map(([, port]) => port))].sort((a, b) => a - b),
    ...(named.length === 0 ? {} : { namedPorts: entry.ports }),
    weight: entry.weight || 1,
    tls: tlsOf(entry),
    phase: "READY",
    labels: { ...entry.labels, ...object.labels },
    owner: "",
    serviceAccount: entry.serviceAccount,
    node: "",
    locality: localityOf(entry),
    network: entry.network,
    ...(object.createdAt === undefined ? {} : { startedAt: object.createdAt }),
    provenance: object.provenance,
  };
}
