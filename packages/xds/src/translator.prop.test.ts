import { typeUrls } from "@signalbox/envoy-api";
import type { ChangeEvent } from "@signalbox/event-bus";
import type { CatalogDelta, CatalogEntry, ServiceKey } from "@signalbox/model";
import type { ResourceView } from "@signalbox/xds-server";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseNode } from "./node.ts";
import { atOnce } from "@signalbox/slices";
import { clients, mesh, service } from "./testing/arbitraries.ts";
import { catalogOf, entryOf } from "./testing/catalog.ts";
import { createTranslator, type Translator } from "./translator.ts";

const step = fc.record({
  upserts: fc.array(service, { maxLength: 3 }),
  removals: fc.array(fc.nat(10), { maxLength: 2 }),
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
  ahead = false,
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
  const event: ChangeEvent = { v: 1, type: "delta", previous: { epoch: "1", sequence: sequence - 1 }, revision, delta };
  return atOnce(translator.applying(event, ahead ? atOnce(translator.preparing(event)) : undefined));
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

  it("gives all clients together what each gets alone", () => {
    fc.assert(
      fc.property(mesh, fc.array(step, { minLength: 1, maxLength: 4 }), (mesh, steps) => {
        const translator = createTranslator({ mesh });
        const catalog = new Map<ServiceKey, CatalogEntry>();
        translator.apply({ v: 1, type: "snapshot", catalog: catalogOf([]) });
        for (const node of Object.values(clients)) translator.view(node);
        for (const [index, one] of steps.entries()) {
          advance(catalog, translator, one, index + 2);
          for (const node of Object.values(clients)) {
            const fresh = createTranslator({ mesh });
            fresh.apply({ v: 1, type: "snapshot", catalog: catalogOf([...catalog.values()]) });
            expect(contents(translator.view(node))).toEqual(contents(fresh.view(node)));
          }
        }
      }),
      { numRuns: 25 },
    );
  });

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

  it("gives the same when the work is done ahead, in steps", () => {
    fc.assert(
      fc.property(mesh, fc.array(step, { minLength: 1, maxLength: 5 }), (mesh, steps) => {
        const [ahead, plain] = [createTranslator({ mesh }), createTranslator({ mesh })];
        const catalogs = [new Map<ServiceKey, CatalogEntry>(), new Map<ServiceKey, CatalogEntry>()] as const;
        for (const translator of [ahead, plain]) translator.apply({ v: 1, type: "snapshot", catalog: catalogOf([]) });
        for (const [index, one] of steps.entries()) {
          const told = advance(catalogs[0], ahead, one, index + 2, true);
          const expected = advance(catalogs[1], plain, one, index + 2);
          expect([...told.views.values()]).toEqual([...expected.views.values()]);
          for (const node of Object.values(clients)) {
            for (const _ of ahead.preparingView(node)?.steps ?? []) continue;
            expect(contents(ahead.view(node))).toEqual(contents(plain.view(node)));
          }
        }
      }),
      { numRuns: 30 },
    );
  });
});
