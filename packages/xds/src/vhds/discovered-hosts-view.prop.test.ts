import { fromBinary, toJson, type JsonObject } from "@bufbuild/protobuf";
import { anyRegistry, typeUrls } from "@signalbox/envoy-api";
import { RouteConfigurationSchema } from "@signalbox/envoy-api/envoy/config/route/v3/route";
import { VirtualHostSchema } from "@signalbox/envoy-api/envoy/config/route/v3/route_components";
import { objectKey } from "@signalbox/model";
import type { ResourceView } from "@signalbox/xds-server";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { clients, mesh, service } from "../testing/arbitraries.ts";
import { catalogOf, entryOf } from "../testing/catalog.ts";
import { rule } from "../testing/rules.ts";
import { createTranslator } from "../translator.ts";

const registry = { registry: anyRegistry };

/** Route tables in proto3 JSON by name, with their virtual hosts by name. */
function wholeTables(view: ResourceView): ReadonlyMap<string, JsonObject> {
  const tables = [...view.resources(typeUrls.route).values()].map((resource) => {
    const { virtualHosts, ...rest } = fromBinary(RouteConfigurationSchema, resource.bytes);
    const table = toJson(RouteConfigurationSchema, { ...rest, virtualHosts: [] }, registry) as JsonObject;
    const hosts = virtualHosts.map((host) => toJson(VirtualHostSchema, host, registry) as JsonObject);
    return [resource.name, { ...table, virtualHosts: byName(hosts) }] as const;
  });
  return new Map(tables.sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** The same of a view whose virtual hosts are resources of their own, put together again. */
function joinedTables(view: ResourceView): ReadonlyMap<string, JsonObject> {
  const hosts = new Map<string, JsonObject[]>();
  for (const resource of view.resources(typeUrls.virtualHost).values()) {
    const host = fromBinary(VirtualHostSchema, resource.bytes);
    expect(host.name).toBe(resource.name);
    const [table = "", name = "", ...more] = resource.name.split("/");
    expect(more).toEqual([]);
    hosts.set(table, [
      ...(hosts.get(table) ?? []),
      toJson(VirtualHostSchema, { ...host, name }, registry) as JsonObject,
    ]);
  }
  const tables = [...view.resources(typeUrls.route).values()].map((resource) => {
    const { vhds, ...table } = toJson(
      RouteConfigurationSchema,
      fromBinary(RouteConfigurationSchema, resource.bytes),
      registry,
    ) as JsonObject;
    expect(vhds).toEqual({ configSource: { ads: {}, initialFetchTimeout: "0s", resourceApiVersion: "V3" } });
    expect(table["virtualHosts"]).toBeUndefined();
    return [resource.name, { ...table, virtualHosts: byName(hosts.get(resource.name) ?? []) }] as const;
  });
  expect(new Set(hosts.keys())).toEqual(new Set(tables.map(([name]) => name)));
  return new Map(tables.sort(([a], [b]) => (a < b ? -1 : 1)));
}

function byName(hosts: readonly JsonObject[]): JsonObject[] {
  const key = (host: JsonObject) => JSON.stringify(host["name"]);
  return [...hosts].sort((a, b) => (key(a) < key(b) ? -1 : 1));
}

describe("virtual hosts that are resources of their own", () => {
  it.each(Object.entries(clients).filter(([, { type }]) => type !== "grpc"))(
    "are for a %s those of the whole tables, with each domain once in a table and `*` once",
    (_, node) => {
      fc.assert(
        fc.property(
          fc.array(service, { maxLength: 4 }),
          fc.array(rule, { maxLength: 4 }),
          mesh,
          (services, rules, settings) => {
            const translator = createTranslator({ mesh: settings });
            const catalog = catalogOf(services.map(entryOf));
            const objects = new Map(rules.map((one) => [objectKey(one), one]));
            translator.apply({ v: 1, type: "snapshot", catalog: { ...catalog, objects } });
            const joined = joinedTables(translator.view(node, false, true));
            expect(joined).toEqual(wholeTables(translator.view(node)));
            for (const { virtualHosts } of joined.values()) {
              const domains = (virtualHosts as JsonObject[]).flatMap(({ domains: own }) => own as string[]);
              expect(new Set(domains.map((one) => one.toLowerCase())).size).toBe(domains.length);
              expect(virtualHosts).not.toEqual([]);
            }
          },
        ),
        { numRuns: 25 },
      );
    },
  );
});
