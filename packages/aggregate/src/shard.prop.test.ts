import fc from "fast-check";
import { deepFreeze, registryId, serviceKey, type ServiceKey, type ServiceRecord } from "@signalbox/model";
import type { RegistryUpdate } from "@signalbox/registry";
import { atOnce } from "@signalbox/slices";
import { describe, expect, it } from "vitest";
import { ShardStore, Touched } from "./shard.ts";
import { keyOf, record } from "./testing/world.ts";

const id = registryId("fake", "a");
const name = fc.constantFrom("a", "b", "c", "d", "e", "f");
const records = fc
  .uniqueArray(fc.record({ name, host: fc.nat({ max: 2 }) }), { selector: (one) => one.name })
  .map((all) => all.map(({ name, host }) => deepFreeze(record(id, name, `10.0.0.${host}`))));
const update: fc.Arbitrary<RegistryUpdate> = fc.oneof(
  records.map((all) => ({ type: "snapshot" as const, records: all })),
  fc.record({ upserted: records, removed: fc.uniqueArray(name) }).map(({ removed, upserted }) => {
    const said = new Set(upserted.map(({ service }) => serviceKey(service)));
    return {
      type: "delta" as const,
      records: { upserted, removed: removed.map(keyOf).filter((key) => !said.has(key)) },
    };
  }),
);

type State = ReadonlyMap<ServiceKey, ServiceRecord>;

function after(before: State, said: RegistryUpdate): State {
  const { upserted = [], removed = [] } = said.type === "delta" ? (said.records ?? {}) : { upserted: said.records };
  const next = new Map(said.type === "delta" ? before : []);
  for (const key of removed) next.delete(key);
  for (const one of upserted) next.set(serviceKey(one.service), one);
  return next;
}

function held(store: ShardStore): State {
  return new Map(store.contentOf(id).records.map((one) => [serviceKey(one.service), one]));
}

function opened(): ShardStore {
  const store = new ShardStore();
  store.add(id, 0);
  return store;
}

/** Some services besides those that are told of, so that an update has many steps. */
const many = Array.from({ length: 300 }, (_, index) => deepFreeze(record(id, `m${index}`, "10.9.9.9")));

describe("a shard on any updates", () => {
  it("holds what was said before or all of what is said now after each step, and touches what differs", () => {
    fc.assert(
      fc.property(fc.array(update, { minLength: 1, maxLength: 5 }), (updates) => {
        const store = opened();
        let before: State = new Map();
        for (const one of updates) {
          const said = one.type === "snapshot" ? { ...one, records: [...one.records, ...many] } : one;
          const touched = new Touched();
          const expected = after(before, said);
          const applied: State[] = [];
          const steps = store.apply(id, said, touched, () => void applied.push(expected));
          do expect(held(store)).toEqual(applied[0] ?? before);
          while (steps.next().done !== true);
          expect(held(store)).toEqual(expected);
          const different = [...new Set([...before.keys(), ...expected.keys()])].filter(
            (key) => before.get(key) !== expected.get(key),
          );
          expect([...touched.services].sort()).toEqual(different.sort());
          before = expected;
        }
      }),
      { numRuns: 50 },
    );
  });

  it("keeps what is taken in between two steps of the first update", () => {
    const store = opened();
    const steps = store.apply(id, { type: "snapshot", records: many }, new Touched());
    steps.next();
    const late = deepFreeze(record(id, "late", "10.0.0.1"));
    atOnce(store.apply(id, { type: "delta", records: { upserted: [late], removed: [] } }, new Touched()));
    atOnce(steps);
    expect(held(store).get(keyOf("late"))).toBe(late);
    expect(held(store).size).toBe(many.length + 1);
  });
});
