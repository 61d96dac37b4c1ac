import { registryId } from "@signalbox/model";
import { defaultRules } from "@signalbox/policy";
import { afterEach, describe, expect, it } from "vitest";
import { defaultCatalogRules, type AggregateOptions } from "./options.ts";
import { FakeRegistry, keyOf, record, World } from "./testing/world.ts";

const opened: World[] = [];
afterEach(async () => {
  for (const world of opened.splice(0)) await world.stop();
});

const one = registryId("fake", "one");
const orders = keyOf("orders");
const slowStart = { overMs: 60_000, steps: 4, flapMs: 30_000 };
const rules = { ...defaultCatalogRules, of: () => ({ ...defaultRules, slowStart }) };

async function world(options: Partial<AggregateOptions> = {}) {
  const registry = new FakeRegistry("one");
  const made = new World({
    registries: [registry],
    rules,
    freshness: { staleAfterMs: Number.POSITIVE_INFINITY },
    ...options,
  });
  opened.push(made);
  await made.start();
  registry.snapshot(record(one, "orders", "192.0.2.1"));
  await made.calm();
  const weights = () => made.consumed.entries.get(orders)?.instances.map(({ weight }) => weight);
  return { registry, weights, world: made };
}

describe("slow start", () => {
  it("raises the weight of a new endpoint step by step, and publishes once for each", async () => {
    const { registry, weights, world: made } = await world();
    expect(weights()).toEqual([1]);
    registry.upsert(record(one, "orders", "192.0.2.1", "192.0.2.2"));
    await made.calm();
    expect(weights()).toEqual([5, 1]);
    const before = made.events.length;
    const seen = new Set<string>();
    for (let passed = 0; passed < 80_000; passed += 1000) {
      await made.clock.advance(1000);
      seen.add(JSON.stringify(weights()));
    }
    expect([...seen].slice(-4)).toEqual(["[5,2]", "[5,3]", "[5,4]", "[1,1]"]);
    expect(made.events.length - before).toBe(4);
  });

  it("is told by explain, and explaining does not change it", async () => {
    const { registry, weights, world: made } = await world();
    registry.upsert(record(one, "orders", "192.0.2.1", "192.0.2.2"));
    await made.calm();
    for (let again = 0; again < 2; again++) {
      const young = made.aggregate.decisions
        .explain(orders)
        ?.candidates.find(({ address }) => address.includes("2.2:"));
      expect(young).toMatchObject({
        reported: { weight: 1 },
        served: { weight: 1 },
        outcome: { code: "SERVED" },
        findings: [{ stage: "weights", code: "SLOW_START" }],
      });
    }
    await made.calm();
    expect(weights()).toEqual([5, 1]);
  });

  it("goes on after a restart with what was kept", async () => {
    let told = 0;
    const first = await world({ onSlowStart: () => told++ });
    first.registry.upsert(record(one, "orders", "192.0.2.1", "192.0.2.2"));
    await first.world.calm();
    const slowStarts = first.world.aggregate.decisions.slowStarts();
    expect(told).toBeGreaterThan(0);
    expect(slowStarts).toMatchObject([{ service: orders, endpoints: [{ address: "192.0.2.2:8080" }] }]);
    const young = slowStarts[0]?.endpoints[0]?.since ?? 0;

    const registry = new FakeRegistry("one");
    const second = new World({ registries: [registry], rules, slowStarts });
    opened.push(second);
    await second.start();
    await second.clock.advance(Math.ceil(young / 15_000) * 15_000 + 30_000 - second.clock.now());
    registry.snapshot(record(one, "orders", "192.0.2.1", "192.0.2.2"));
    await second.calm();
    expect(second.consumed.entries.get(orders)?.instances.map(({ weight }) => weight)).toEqual([5, 3]);
  });
});
