import {
  byCodeUnit,
  deepFreeze,
  entryVersions,
  objectKey,
  registryId,
  serviceKey,
  workloadKey,
} from "@signalbox/model";
import type {
  Catalog,
  CatalogDelta,
  CatalogEntry,
  CatalogInstance,
  ConfigObject,
  Service,
  Workload,
} from "@signalbox/model";

/** A catalog without its revision, as writers keep it. */
export type Content = Omit<Catalog, "revision">;

const provenance = { registry: registryId("test", "bus"), object: "made by the bus suite" } as const;
const locality = { region: "", zone: "", subzone: "" } as const;

/** An entry named by `name` whose only instance differs by `generation`. */
export function entryOf(name: string, generation: number): CatalogEntry {
  const service: Service = {
    hostname: `${name}.example`,
    namespace: "suite",
    ports: [{ name: "http", number: 80, protocol: "HTTP" }],
    resolution: "STATIC",
    addresses: [],
    // Keys that are members of every object in JavaScript must travel as data.
    labels: JSON.parse('{"__proto__":"data","constructor":"data"}') as Service["labels"],
    meshExternal: false,
    exportTo: [],
    serviceAccounts: [],
    provenance,
  };
  const instance: CatalogInstance = {
    id: `${name}-1`,
    servicePort: "http",
    addresses: [{ type: "ip", ip: "192.0.2.1", port: 8000 + generation }],
    labels: { generation: String(generation) },
    locality,
    network: "",
    serviceAccount: "",
    tls: "disabled",
    healthStatus: "HEALTHY",
    weight: 1,
    priority: 0,
    provenance: [provenance],
    findings: [],
  };
  const instances = [instance];
  // Every other one has a part of its traffic that is to fail.
  const unserved = generation % 2 === 1 ? { http: 1000 + generation } : undefined;
  const versions = entryVersions(service, instances, unserved);
  return deepFreeze({
    key: serviceKey(service),
    service,
    instances,
    ...(unserved && { unserved }),
    registries: [provenance.registry],
    versions,
  });
}

/** A workload named by `name`. */
export function workloadOf(name: string, generation: number): Workload {
  return deepFreeze({
    key: workloadKey("cluster", "suite", name),
    addresses: ["192.0.2.1"],
    hostNetwork: false,
    ports: [8000 + generation],
    phase: "READY",
    labels: { generation: String(generation) },
    owner: "",
    serviceAccount: "",
    node: "",
    locality,
    network: "",
    provenance,
  } satisfies Workload);
}

/** An object named by `name`. */
export function objectOf(name: string, generation: number): ConfigObject {
  return deepFreeze({
    kind: "VirtualService",
    namespace: "suite",
    name,
    labels: {},
    annotations: {},
    spec: { hosts: [name], generation },
    provenance,
  } satisfies ConfigObject);
}

/** What one step of a writer says about one name: its new generation, or that it is gone. */
export interface Statement {
  readonly kind: "entries" | "workloads" | "objects";
  readonly name: string;
  readonly generation: number | "gone";
}

/** One delta of statements; the last one about a name counts. */
export function deltaOf(statements: readonly Statement[]): CatalogDelta {
  const last = new Map(statements.map((statement) => [`${statement.kind} ${statement.name}`, statement]));
  const chosen = [...last.values()];
  const set = <K, V>(
    kind: Statement["kind"],
    make: (name: string, generation: number) => V,
    keyOf: (value: V) => K,
  ) => {
    const upserted: V[] = [];
    const removed: K[] = [];
    for (const { name, generation } of chosen.filter((statement) => statement.kind === kind)) {
      if (generation === "gone") removed.push(keyOf(make(name, 0)));
      else upserted.push(make(name, generation));
    }
    return { upserted, removed };
  };
  return {
    entries: set("entries", entryOf, (entry) => entry.key),
    workloads: set("workloads", workloadOf, (workload) => workload.key),
    objects: set("objects", objectOf, objectKey),
  };
}

/** A delta that upserts one entry. */
export function upsert(name: string, generation: number): CatalogDelta {
  return deltaOf([{ kind: "entries", name, generation }]);
}

/** Content with these entries, all of generation 0. */
export function contentOf(...names: readonly string[]): Content {
  const entries = names.map((name) => entryOf(name, 0));
  return { entries: new Map(entries.map((entry) => [entry.key, entry])), workloads: new Map(), objects: new Map() };
}

/** Content in a form that can be compared: arrays sorted by key. */
export function comparable(content: Content): unknown {
  const sorted = (map: ReadonlyMap<string, unknown>) => [...map].sort(([a], [b]) => byCodeUnit(a, b));
  return { entries: sorted(content.entries), workloads: sorted(content.workloads), objects: sorted(content.objects) };
}
