import { typeUrls } from "@signalbox/envoy-api";
import type { CatalogDelta, CatalogEntry, ServiceKey } from "@signalbox/model";
import type { ResourceView } from "@signalbox/xds-server";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { MeshConfig } from "./mesh.ts";
import { parseNode, type ProxyNode } from "./node.ts";
import { catalogOf, entryOf, type InstanceSketch, type ServiceSketch } from "./testing/catalog.ts";
import { createTranslator, type Translator } from "./translator.ts";

const clients: Readonly<Record<string, ProxyNode>> = {
  sidecar: parseNode({ id: "sidecar~10.0.0.1~a.one~one.svc.cluster.local" }),
  "sidecar of another namespace": parseNode({ id: "sidecar~10.0.0.2~b.two~two.svc.cluster.local" }),
  "dual-stack sidecar": parseNode({
    id: "sidecar~10.0.0.3~b.two~two.svc.cluster.local",
    metadata: { INSTANCE_IPS: "::3" },
  }),
  "binding sidecar": parseNode({
    id: "sidecar~10.0.0.1~a.one~one.svc.cluster.local",
    metadata: { INTERCEPTION_MODE: "NONE" },
  }),
  router: parseNode({ id: "router~10.0.0.9~gw.two~two.svc.cluster.local" }),
  plain: parseNode({ id: "edge" }),
  "plain without listeners": parseNode({ id: "edge", metadata: { SIGNALBOX_LISTENERS: "none" } }),
  grpc: parseNode({ id: "client", metadata: { GENERATOR: "grpc", NAMESPACE: "one" } }),
};

const hostnames = [
  "a.one.svc.cluster.local",
  "b.one.svc.cluster.local",
  "b.two.svc.cluster.local",
  "b",
  "A.one.svc.cluster.local",
  "*.x.io",
  "x.io",
];
const instance: fc.Arbitrary<InstanceSketch> = fc.record({
  address: fc.constantFrom(
    "10.0.0.1:80",
    "10.0.0.2:80",
    "10.0.0.3:8080",
    "[::3]:81",
    "x.io:80",
    "a.one.svc.cluster.local:1",
    "b:1",
    "unix:/a",
  ),
  weight: fc.constantFrom(0, 1, 5),
  servicePort: fc.constantFrom("p80", "p81"),
  priority: fc.constantFrom(0, 2),
  healthStatus: fc.constantFrom("HEALTHY", "UNHEALTHY", "UNKNOWN"),
});
const service: fc.Arbitrary<ServiceSketch> = fc.record({
  hostname: fc.constantFrom(...hostnames),
  namespace: fc.constantFrom("one", "two"),
  resolution: fc.constantFrom("STATIC", "STATIC", "DNS", "DNS_ROUND_ROBIN", "NONE", "ALIAS", "DYNAMIC_DNS"),
  addresses: fc.subarray(["10.9.0.1", "10.9.0.2", "10.9.0.0/16", "10.9.1.0/16", "::9", "127.0.0.9", "0.0.0.0"]),
  exportTo: fc.constantFrom([], ["*"], ["."], ["one"], ["~"]),
  createdAt: fc.constantFrom(1, 2),
  ports: fc.uniqueArray(
    fc.record({
      number: fc.constantFrom(80, 81, 15001, 15080),
      protocol: fc.constantFrom("HTTP", "GRPC", "TCP", "TLS", "UNSUPPORTED", "UDP", "HTTPS"),
    }),
    { selector: ({ number }) => number, maxLength: 3 },
  ),
  instances: fc.uniqueArray(instance, {
    selector: ({ address, servicePort }) => `${address} ${String(servicePort)}`,
    maxLength: 4,
  }),
});
const step = fc.record({
  upserts: fc.array(service, { maxLength: 3 }),
  removals: fc.array(fc.nat(10), { maxLength: 2 }),
});
const mesh: fc.Arbitrary<MeshConfig> = fc.record({
  proxyHttpPort: fc.constantFrom(0, 15080),
  outboundTrafficPolicy: fc.record({ mode: fc.constantFrom("ALLOW_ANY", "REGISTRY_ONLY") }),
});

function contents(view: ResourceView): unknown {
  return Object.values(typeUrls).map((type) => ({
    type,
    version: view.version(type),
    resources: [...view.resources(type).values()]
      .map(({ name, version, bytes }) => [name, version, Buffer.from(bytes).toString("base64")])
      .sort(([a = ""], [b = ""]) => (a < b ? -1 : 1)),
  }));
}

/** Applies one step to the catalog and, as a delta, to the translator. */
function advance(
  catalog: Map<ServiceKey, CatalogEntry>,
  translator: Translator,
  { upserts, removals }: typeof step extends fc.Arbitrary<infer S> ? S : never,
  sequence: number,
) {
  const upserted = new Map(upserts.map(entryOf).map((entry) => [entry.key, entry]));
  const keys = [...catalog.keys()].filter((key) => !upserted.has(key));
  const removed = [...new Set(removals.flatMap((index) => keys[index] ?? []))];
  for (const entry of upserted.values()) catalog.set(entry.key, entry);
  for (const key of removed) catalog.delete(key);
  const none = { upserted: [], removed: [] };
  const delta: CatalogDelta = {
    entries: { upserted: [...upserted.values()], removed },
    workloads: none,
    objects: none,
  };
  const revision = { epoch: "1", sequence };
  return translator.apply({ v: 1, type: "delta", previous: { epoch: "1", sequence: sequence - 1 }, revision, delta });
}

describe("folding deltas", () => {
  it.each(Object.entries(clients))(
    "gives a %s what the whole catalog gives it, and names all that changed",
    (_, node) => {
      fc.assert(
        fc.property(mesh, fc.array(step, { minLength: 1, maxLength: 6 }), (mesh, steps) => {
          const translator = createTranslator({ mesh });
          const catalog = new Map<ServiceKey, CatalogEntry>();
          translator.apply({ v: 1, type: "snapshot", catalog: catalogOf([]) });
          translator.view(node);
          for (const [index, one] of steps.entries()) {
            const view = translator.view(node);
            const before = new Map(Object.values(typeUrls).map((type) => [type, new Map(view.resources(type))]));
            const { views, faults } = advance(catalog, translator, one, index + 2);
            expect(faults).toEqual([]);
            for (const type of Object.values(typeUrls)) {
              const now = view.resources(type);
              const names = new Set([...(before.get(type)?.keys() ?? []), ...now.keys()]);
              const changed = [...names].filter(
                (name) => before.get(type)?.get(name)?.version !== now.get(name)?.version,
              );
              expect([...(views.get(view)?.get(type) ?? [])].sort()).toEqual(expect.arrayContaining(changed.sort()));
            }
            const fresh = createTranslator({ mesh });
            fresh.apply({ v: 1, type: "snapshot", catalog: catalogOf([...catalog.values()].reverse()) });
            expect(contents(translator.view(node))).toEqual(contents(fresh.view(node)));
          }
        }),
        { numRuns: 40 },
      );
    },
  );

  it("also through a later snapshot", () => {
    fc.assert(
      fc.property(fc.array(service, { maxLength: 5 }), fc.array(service, { maxLength: 5 }), (first, second) => {
        const translator = createTranslator();
        const node = clients["sidecar"] ?? parseNode({});
        translator.apply({ v: 1, type: "snapshot", catalog: catalogOf(first.map(entryOf)) });
        translator.view(node);
        translator.apply({ v: 1, type: "snapshot", catalog: catalogOf(second.map(entryOf)) });
        const fresh = createTranslator();
        fresh.apply({ v: 1, type: "snapshot", catalog: catalogOf(second.map(entryOf)) });
        expect(contents(translator.view(node))).toEqual(contents(fresh.view(node)));
      }),
      { numRuns: 50 },
    );
  });
});
