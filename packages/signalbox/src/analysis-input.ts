import type { Address, Catalog, CatalogEntry, Workload } from "@signalbox/model";
import type { AnalysisInput, AnalyzedService, AnalyzedWorkload } from "@signalbox/traffic";

/** What there is to analyze in a catalog. `domain` is how short names end. */
export function analysisInput(
  { entries, objects, workloads }: Pick<Catalog, "entries" | "objects" | "workloads">,
  domain?: string,
): AnalysisInput {
  return {
    objects: objects.values(),
    services: [...entries.values()].map(analyzedService),
    workloads: [...workloads.values()].map(analyzedWorkload),
    ...(domain === undefined ? {} : { domain }),
  };
}

function analyzedService({ instances, service }: CatalogEntry): AnalyzedService {
  const { exportTo, hostname, namespace, ports } = service;
  return {
    hostname,
    namespace,
    exportTo,
    ports: ports.map(({ number }) => number),
    instances: instances.map(({ addresses, labels }) => ({ labels, ports: addresses.flatMap(portOf) })),
  };
}

function portOf(address: Address): readonly number[] {
  return address.type === "unix" ? [] : [address.port];
}

function analyzedWorkload({ key, labels }: Workload): AnalyzedWorkload {
  const [, namespace = "", ...name] = key.split("/");
  return { name: name.join("/"), namespace, labels };
}
