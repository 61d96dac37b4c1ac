import type { Address, Catalog, CatalogEntry, ConfigObject, Labels, ObjectKey, Workload } from "@signalbox/model";
import type { AnalysisInput, AnalyzedService, AnalyzedWorkload, RuleFinding } from "@signalbox/traffic";

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

/** Whether a finding says that no workload is selected. */
export function isOfSelector({ code, path }: RuleFinding): boolean {
  return code === "IST0101" && (path[1] === "selector" || path[1] === "workloadSelector");
}

/** A proxy that is connected. No registry needs to know a workload for it. */
export interface SelectableProxy {
  readonly namespace: string;
  readonly labels: Labels;
}

/** The findings without those that miss a workload where a connected proxy is one. Gateways select in all namespaces, others in their own. */
export function withoutServed(
  findings: readonly RuleFinding[],
  objects: Catalog["objects"],
  proxies: readonly SelectableProxy[],
): readonly RuleFinding[] {
  if (proxies.length === 0 || !findings.some(isOfSelector)) return findings;
  return findings.filter((finding) => {
    const object = isOfSelector(finding) ? objects.get(finding.object as ObjectKey) : undefined;
    if (object === undefined) return true;
    const wanted = Object.entries(selectorAt(object, finding.path.slice(1)));
    return !proxies.some(
      ({ labels, namespace }) =>
        wanted.every(([key, value]) => labels[key] === value) &&
        (object.kind === "Gateway" || object.namespace === namespace),
    );
  });
}

function selectorAt({ spec }: ConfigObject, path: RuleFinding["path"]): Readonly<Record<string, unknown>> {
  let found: unknown = spec;
  for (const part of path) found = typeof found === "object" && found !== null ? Reflect.get(found, part) : undefined;
  return typeof found === "object" && found !== null ? (found as Readonly<Record<string, unknown>>) : {};
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
