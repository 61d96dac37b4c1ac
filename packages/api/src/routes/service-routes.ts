import { byCodeUnit, instanceKey, serviceKey } from "@signalbox/model";
import type { Catalog, CatalogEntry, CatalogInstance, ServiceKey } from "@signalbox/model";
import { fits } from "@signalbox/policy";
import { z } from "zod";
import { findService } from "../find-service.ts";
import { after, limit, registryPattern, serviceName } from "../parameters.ts";
import { route } from "../route.ts";
import type { Route } from "../route.ts";
import type { schemas } from "../schemas.ts";
import type { CollisionView } from "../sources.ts";

type ServiceSummary = z.input<typeof schemas.ServiceSummary>;
type Instance = z.input<typeof schemas.Instance>;

/** Services and their endpoints, as they are in the catalog. */
export const serviceRoutes: readonly Route[] = [
  route({
    method: "GET",
    path: "/v1/services",
    operation: "listServices",
    summary: "Services, by key.",
    query: { namespace: z.string().max(300).optional().meta({ description: "Only services of it." }), limit, after },
    answer: "ServiceList",
    refuses: [],
    handle: ({ query }, { sources }) => {
      const { namespace, limit: most, after: from = "" } = query;
      const { entries } = sources.catalog();
      const keys = sortedKeys(entries).filter(
        (key) => key > from && (namespace === undefined || key.startsWith(`${namespace}/`)),
      );
      const items = keys.slice(0, most).flatMap((key) => {
        const entry = entries.get(key);
        return entry === undefined ? [] : [summary(entry)];
      });
      const last = keys.length > most ? items.at(-1)?.key : undefined;
      const inNamespace = ({ wanted }: CollisionView): boolean =>
        namespace === undefined || wanted.startsWith(`${namespace}/`);
      const collisions = (sources.collisions?.() ?? []).filter(inNamespace);
      return { items, ...(last !== undefined && { next: last }), collisions };
    },
  }),
  route({
    method: "GET",
    path: "/v1/services/{namespace}/{hostname}",
    operation: "getService",
    summary: "One service with its endpoints.",
    query: {},
    answer: "Service",
    refuses: ["SBX_SERVICE_UNKNOWN"],
    handle: ({ parameters }, { sources }) => {
      const catalog = sources.catalog();
      const { namespace = "", hostname = "" } = parameters;
      const entry = entryOf(catalog, findService(catalog, serviceKey({ namespace, hostname })));
      const { addresses, exportTo, labels, meshExternal, resolution } = entry.service;
      const instances = sortedInstances(entry).map(({ row }) => row);
      return {
        ...summary(entry),
        resolution,
        addresses: [...addresses],
        labels,
        meshExternal,
        exportTo: [...exportTo],
        versions: entry.versions,
        instances,
      };
    },
  }),
  route({
    method: "GET",
    path: "/v1/instances",
    operation: "listInstances",
    summary: "Endpoints, by service, service port and address.",
    query: { service: serviceName.optional(), registry: registryPattern.optional(), limit, after },
    answer: "InstanceList",
    refuses: ["SBX_SERVICE_AMBIGUOUS", "SBX_SERVICE_UNKNOWN"],
    handle: ({ query }, { sources }) => {
      const catalog = sources.catalog();
      const { service, registry, limit: most, after: from = "" } = query;
      const only = service === undefined ? undefined : findService(catalog, service);
      // A cursor is a key, a space and the place within the service; keys have no spaces.
      const fromKey = from.split(" ", 1)[0] ?? "";
      const keys = only === undefined ? sortedKeys(catalog.entries) : [only];
      const found: { readonly cursor: string; readonly row: Instance }[] = [];
      for (const key of keys) {
        if (key < fromKey) continue;
        if (found.length > most) break;
        for (const { place, row } of sortedInstances(entryOf(catalog, key))) {
          const isAfter = key > fromKey || `${key} ${place}` > from;
          if (isAfter && (registry === undefined || row.registries.some((id) => fits(registry, id))))
            found.push({ cursor: `${key} ${place}`, row });
        }
      }
      const page = found.slice(0, most);
      const last = found.length > most ? page.at(-1)?.cursor : undefined;
      return { items: page.map(({ row }) => row), ...(last !== undefined && { next: last }) };
    },
  }),
];

function sortedKeys(entries: Catalog["entries"]): ServiceKey[] {
  return [...entries.keys()].sort(byCodeUnit);
}

function entryOf(catalog: Catalog, key: ServiceKey): CatalogEntry {
  const entry = catalog.entries.get(key);
  if (entry === undefined) throw new Error(`the catalog lost ${key}`);
  return entry;
}

function summary({ key, service, instances, registries }: CatalogEntry): ServiceSummary {
  const isHealthy = ({ healthStatus, weight }: CatalogInstance): boolean =>
    weight > 0 && (healthStatus === "HEALTHY" || healthStatus === "UNKNOWN");
  return {
    key,
    hostname: service.hostname,
    namespace: service.namespace,
    ports: [...service.ports],
    registries: [...registries],
    endpoints: {
      total: instances.length,
      healthy: instances.filter(isHealthy).length,
      standby: instances.filter(({ priority }) => priority > 0).length,
    },
  };
}

/** The endpoints of a service in the order of their place, which is unique within the service. */
function sortedInstances({ key, instances }: CatalogEntry): { readonly place: string; readonly row: Instance }[] {
  const rows = instances.map((instance) => {
    const row = instanceRow(key, instance);
    return { place: JSON.stringify([row.servicePort, row.address, row.id]), row };
  });
  return rows.sort((a, b) => byCodeUnit(a.place, b.place));
}

function instanceRow(service: ServiceKey, instance: CatalogInstance): Instance {
  const { findings, healthStatus, id, labels, locality, network, priority, provenance, servicePort, tls, weight } =
    instance;
  const [primary, ...additional] = instance.addresses;
  return {
    service,
    address: instanceKey(primary),
    additionalAddresses: additional.map(instanceKey),
    servicePort,
    id,
    health: healthStatus,
    weight,
    priority,
    labels,
    locality,
    network,
    tls,
    registries: [...new Set(provenance.map(({ registry }) => registry))],
    objects: provenance.map(({ object }) => object),
    findings: [...findings],
  };
}
