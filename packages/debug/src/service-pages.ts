import type { Catalog, CatalogEntry, CatalogInstance } from "@signalbox/model";
import { failure } from "./answer.ts";
import type { Answer, Page } from "./answer.ts";
import { endpointShape, hostPort, instanceShape, instancesOfPort, serviceShape, shardName } from "./istio-shapes.ts";
import { sortedBy, sortedRecord } from "./order.ts";
import type { DebugSources } from "./sources.ts";

/** Pages about services and their endpoints. */
export function servicePages(sources: DebugSources): Page[] {
  const withCatalog = (answer: (catalog: Catalog, query: URLSearchParams) => Answer) => (query: URLSearchParams) => {
    const catalog = sources.catalog();
    return catalog === undefined
      ? failure(503, "SBX_NO_CATALOG", "There is no catalog yet; /readyz says why.")
      : answer(catalog, query);
  };
  return [
    {
      path: "/debug/registryz",
      help: "All services.",
      answer: withCatalog((catalog) => ({ type: "array", items: mapped(sortedEntries(catalog), serviceShape) })),
    },
    {
      path: "/debug/endpointz",
      help: "Endpoints by service and port. ?brief=1 for one line each, ?service=<hostname> for one service.",
      answer: withCatalog(endpointz),
    },
    {
      path: "/debug/endpointShardz",
      help: "Endpoints by service, namespace and the registry that knows them. ?service=<hostname> for one service.",
      answer: withCatalog((catalog, query) => ({ type: "object", members: shards(select(catalog, query)) })),
    },
  ];
}

/** Entries sorted by hostname, then namespace. */
export function sortedEntries(catalog: Catalog): CatalogEntry[] {
  return sortedBy(catalog.entries.values(), ({ service }) => `${service.hostname}\0${service.namespace}`);
}

function* mapped<A, B>(items: Iterable<A>, map: (item: A) => B): Generator<B> {
  for (const item of items) yield map(item);
}

/** `service` may be a hostname, a first part of one that ends at a dot, or `<namespace>/<hostname>`. */
function select(catalog: Catalog, query: URLSearchParams): CatalogEntry[] {
  const wanted = query.get("service")?.toLowerCase() ?? "";
  const entries = sortedEntries(catalog);
  if (wanted === "") return entries;
  return entries.filter(({ key, service }) => {
    const hostname = service.hostname.toLowerCase();
    return hostname === wanted || key === wanted || hostname.startsWith(`${wanted}.`);
  });
}

function endpointz(catalog: Catalog, query: URLSearchParams): Answer {
  const entries = select(catalog, query);
  if (isOn(query, "brief")) return { type: "lines", lines: briefLines(entries) };
  return { type: "array", items: endpointsByPort(entries) };
}

function* endpointsByPort(entries: readonly CatalogEntry[]): Generator<object> {
  for (const entry of entries) {
    for (const port of entry.service.ports) {
      const ep = instancesOfPort(entry, port).map((instance) => instanceShape(entry, port, instance));
      yield { svc: `${entry.service.hostname}:${port.name}`, ep };
    }
  }
}

function* briefLines(entries: readonly CatalogEntry[]): Generator<string> {
  for (const entry of entries) {
    for (const port of entry.service.ports) {
      for (const instance of instancesOfPort(entry, port)) {
        const labels = sortedBy(Object.entries(instance.labels), ([name]) => name).map((pair) => pair.join("="));
        const words = [`${entry.service.hostname}:${port.name}`, hostPort(instance), labels.join(",")];
        yield `${[...words, instance.serviceAccount].join(" ").trimEnd()}\n`;
      }
    }
  }
}

function* shards(entries: readonly CatalogEntry[]): Generator<readonly [string, object]> {
  // One hostname can live in several namespaces; sorted entries keep them together.
  let hostname: string | undefined;
  let namespaces: (readonly [string, object])[] = [];
  for (const entry of entries) {
    if (hostname !== undefined && entry.service.hostname !== hostname) {
      yield [hostname, Object.fromEntries(namespaces)];
      namespaces = [];
    }
    hostname = entry.service.hostname;
    namespaces.push([entry.service.namespace, shardsOf(entry)]);
  }
  if (hostname !== undefined) yield [hostname, Object.fromEntries(namespaces)];
}

function shardsOf(entry: CatalogEntry): object {
  const byShard = new Map<string, object[]>(entry.registries.map((registry) => [shardName(registry), []]));
  const accounts = new Set<string>();
  const add = (instance: CatalogInstance, registry: string): void => {
    const shard = shardName(registry);
    const list = byShard.get(shard);
    const shape = endpointShape(entry, instance, registry);
    if (list === undefined) byShard.set(shard, [shape]);
    else list.push(shape);
  };
  for (const instance of sortedBy(entry.instances, (i) => `${i.servicePort} ${hostPort(i)} ${i.id}`)) {
    if (instance.serviceAccount !== "") accounts.add(instance.serviceAccount);
    for (const { registry } of instance.provenance) add(instance, registry);
  }
  return {
    Shards: sortedRecord(byShard),
    ServiceAccounts: sortedRecord([...accounts].map((account) => [account, {}])),
  };
}

/** Whether a flag is in the query: `?brief`, `?brief=1`, but not `?brief=0` or `?brief=false`. */
export function isOn(query: URLSearchParams, name: string): boolean {
  const value = query.get(name);
  return value !== null && value !== "0" && value !== "false";
}
