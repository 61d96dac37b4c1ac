import { typeUrls } from "@signalbox/envoy-api";
import {
  objectKey,
  type Catalog,
  type CatalogEntry,
  type ConfigObject,
  type ObjectKey,
  type ServiceKey,
} from "@signalbox/model";
import type { ResourceView } from "@signalbox/xds-server";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseNode } from "./node.ts";
import { clients, service } from "./testing/arbitraries.ts";
import { catalogOf, entryOf } from "./testing/catalog.ts";
import { rule } from "./testing/rules.ts";
import { createTranslator, type Translator } from "./translator.ts";

const nodes = {
  ...clients,
  "labelled sidecar": parseNode({
    id: "sidecar~10.0.0.2~b.two~two.svc.cluster.local",
    metadata: { LABELS: { app: "web" } },
    locality: { region: "r1", zone: "z1" },
  }),
};

const step = fc.record({
  services: fc.array(service, { maxLength: 2 }),
  rules: fc.array(rule, { maxLength: 2 }),
  removedServices: fc.array(fc.nat(8), { maxLength: 1 }),
  removedRules: fc.array(fc.nat(8), { maxLength: 1 }),
});
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;

/** What a translator was told so far. */
class World {
  readonly entries = new Map<ServiceKey, CatalogEntry>();
  readonly objects = new Map<ObjectKey, ConfigObject>();

  /** Tells it one step, as a delta. */
  advance(translator: Translator, { removedRules, removedServices, rules, services }: Step, sequence: number) {
    const entries = deltaOf(
      this.entries,
      new Map(services.map(entryOf).map((entry) => [entry.key, entry])),
      removedServices,
    );
    const objects = deltaOf(this.objects, new Map(rules.map((one) => [objectKey(one), one])), removedRules);
    const revision = { epoch: "1", sequence };
    const previous = { epoch: "1", sequence: sequence - 1 };
    const delta = { entries, objects, workloads: { upserted: [], removed: [] } };
    return translator.apply({ v: 1, type: "delta", previous, revision, delta });
  }

  /** All of it, in the other order. */
  catalog(): Catalog {
    return { ...catalogOf([...this.entries.values()].reverse()), objects: new Map([...this.objects].reverse()) };
  }
}

function deltaOf<K, V>(held: Map<K, V>, upserted: ReadonlyMap<K, V>, removals: readonly number[]) {
  const keys = [...held.keys()].filter((key) => !upserted.has(key));
  const removed = [...new Set(removals.flatMap((index) => (index < keys.length ? [keys[index] as K] : [])))];
  for (const [key, value] of upserted) held.set(key, value);
  for (const key of removed) held.delete(key);
  return { upserted: [...upserted.values()], removed };
}

function contents(view: ResourceView): unknown {
  return Object.values(typeUrls).map((type) => ({
    type,
    version: view.version(type),
    resources: [...view.resources(type).values()].map(({ name, version }) => `${name} ${version}`).sort(),
  }));
}

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
          const { faults } = world.advance(translator, one, index + 2);
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
            const { views } = world.advance(translator, one, index + 2);
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
