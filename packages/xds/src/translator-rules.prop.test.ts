import { typeUrls } from "@signalbox/envoy-api";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { catalogOf } from "./testing/catalog.ts";
import { contents, nodes, step, World } from "./testing/rules-world.ts";
import { createTranslator } from "./translator.ts";

describe("folding deltas of services and rules", () => {
  it("gives all clients together what the whole catalog gives each of them alone", { timeout: 120_000 }, () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 6 }), (steps) => {
        const translator = createTranslator();
        const world = new World();
        translator.apply({ v: 1, type: "snapshot", catalog: catalogOf([]) });
        for (const node of Object.values(nodes)) {
          translator.view(node);
          contents(translator.view(node, false, true));
        }
        for (const [index, one] of steps.entries()) {
          const { faults } = translator.apply(world.next(one, index + 2));
          expect(faults).toEqual([]);
        }
        for (const node of Object.values(nodes)) {
          const fresh = createTranslator();
          fresh.apply({ v: 1, type: "snapshot", catalog: world.catalog() });
          expect(contents(translator.view(node))).toEqual(contents(fresh.view(node)));
          expect(contents(translator.view(node, false, true))).toEqual(contents(fresh.view(node, false, true)));
        }
      }),
      { numRuns: Number(process.env["SIGNALBOX_RULE_RUNS"] ?? 30) },
    );
  });

  it("names all that changed for a client whose view stays the same", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...Object.values(nodes)),
        fc.boolean(),
        fc.array(step, { minLength: 1, maxLength: 5 }),
        (node, vhds, steps) => {
          const translator = createTranslator();
          const world = new World();
          translator.apply({ v: 1, type: "snapshot", catalog: catalogOf([]) });
          for (const [index, one] of steps.entries()) {
            const view = translator.view(node, false, vhds);
            const before = new Map(Object.values(typeUrls).map((type) => [type, new Map(view.resources(type))]));
            const { views } = translator.apply(world.next(one, index + 2));
            if (translator.view(node, false, vhds) !== view) continue;
            for (const type of Object.values(typeUrls)) {
              const now = view.resources(type);
              const names = new Set([...(before.get(type)?.keys() ?? []), ...now.keys()]);
              const changed = [...names].filter(
                (name) => before.get(type)?.get(name)?.version !== now.get(name)?.version,
              );
              expect([...(views.get(view)?.get(type) ?? [])]).toEqual(expect.arrayContaining(changed));
            }
          }
        },
      ),
      { numRuns: 60 },
    );
  });
});
