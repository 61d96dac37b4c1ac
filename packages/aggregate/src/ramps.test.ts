import { registryId, type ServiceKey } from "@signalbox/model";
import { defaultRules, type RampRule, type ServiceRules } from "@signalbox/policy";
import { afterEach, describe, expect, it } from "vitest";
import type { AggregateInput } from "./input.ts";
import { defaultCatalogRules, type AggregateOptions } from "./options.ts";
import { FakeRegistry, keyOf, record, World } from "./testing/world.ts";

const opened: World[] = [];
afterEach(async () => {
  for (const world of opened.splice(0)) await world.stop();
});

const [one, two] = [registryId("fake", "one"), registryId("fake", "two")];
const orders = keyOf("orders");
const hour = 3_600_000;
const split = (left: number, right: number) => [
  { registry: "fake/one", weight: left },
  { registry: "fake/two", weight: right },
];

/** Steps of an hour each, from an hour after the clock's begin. */
function rampFrom(start: number, gates: RampRule["gates"] = {}): RampRule {
  return {
    steps: [split(90, 10), split(50, 50), split(0, 100)].map((shares, index) => ({
      at: start + (index + 1) * hour,
      shares,
    })),
    gates,
    onEmpty: "spill",
  };
}

const rulesOf = (ramp?: RampRule): ((key: ServiceKey) => ServiceRules) => {
  const rules = { ...defaultRules, ...(ramp && { ramp }) };
  return () => rules;
};

/** A world in which two registries have said that the service is at one address each. */
async function world(gates: RampRule["gates"] = {}, options: Partial<AggregateOptions> = {}) {
  const start = new World().clock.now();
  const inputs: AggregateInput[] = [];
  const [first, second] = [new FakeRegistry("one"), new FakeRegistry("two")];
  const made = new World({
    registries: [first, second],
    rules: { ...defaultCatalogRules, of: rulesOf(rampFrom(start, gates)) },
    freshness: { staleAfterMs: Number.POSITIVE_INFINITY },
    onInput: (input) => inputs.push(input),
    ...options,
  });
  opened.push(made);
  await made.start();
  first.snapshot(record(one, "orders", "192.0.2.1"));
  second.snapshot(record(two, "orders", "192.0.2.2"));
  await made.calm();
  const { decisions } = made.aggregate;
  /** The part of the traffic that goes to the second registry, in percent. */
  const part = () => {
    const [a = 0, b = 0] = made.consumed.entries.get(orders)?.instances.map(({ weight }) => weight) ?? [];
    return Math.round((100 * b) / (a + b));
  };
  const changes = () => inputs.flatMap((input) => (input.type === "ramp-state" ? [input.change] : []));
  return { ...{ changes, decisions, first, inputs, part, second, start }, world: made };
}

const pass = async (made: World, ms: number) => {
  await made.clock.advance(ms);
  await made.calm();
};

describe("a ramp", () => {
  it("takes its steps at their times", async () => {
    const { changes, decisions, part, start, world: made } = await world();
    expect(part()).toBe(10);
    expect(decisions.ramp(orders)).toEqual({
      ...{ service: orders, state: "RUNNING", step: 0, steps: 3, shares: split(90, 10) },
      nextAt: start + 2 * hour,
    });
    await made.clock.advance(start + 2 * hour - made.clock.now() - 1);
    expect(part()).toBe(10);
    await made.clock.advance(1001);
    expect(part()).toBe(50);
    expect(decisions.ramp(orders)).toMatchObject({ state: "RUNNING", step: 1, since: start + 2 * hour });
    await pass(made, hour);
    expect(part()).toBe(100);
    expect(decisions.ramp(orders)).toMatchObject({ state: "DONE", step: 2 });
    expect(changes()).toEqual(["STARTED", "STEP", "STEP"]);
  });

  it("explains a service by the shares of the moment, without taking a step for that", async () => {
    const { decisions, inputs, part, world: made } = await world();
    expect(decisions.explain(orders)?.merge).toEqual({ type: "split", shares: split(90, 10), onEmpty: "spill" });
    const before = inputs.length;
    decisions.explain(orders);
    expect(inputs).toHaveLength(before);
    await pass(made, 2 * hour);
    expect(part()).toBe(50);
    expect(decisions.explain(orders)?.merge).toMatchObject({ shares: split(50, 50) });
  });

  it("waits for endpoints that its gates ask for, and goes on when they are there", async () => {
    const gates = { minEligible: { "fake/two": 2 } };
    const { changes, decisions, part, second, start, world: made } = await world(gates);
    await pass(made, 5 * hour);
    expect(part()).toBe(10);
    expect(decisions.ramp(orders)).toMatchObject({
      state: "HELD",
      detail: "fake/two has 1 eligible endpoints, fewer than 2",
    });
    expect(decisions.ramp(orders)?.nextAt).toBeUndefined();
    second.upsert(record(two, "orders", "192.0.2.2", "192.0.2.3"));
    await made.calm();
    const released = made.clock.now();
    expect(decisions.ramp(orders)).toMatchObject({ state: "RUNNING", step: 1, shares: split(50, 50) });
    // The next step has its hour, although its time is long over.
    expect(decisions.ramp(orders)?.nextAt).toBeGreaterThan(start + 6 * hour);
    expect(decisions.ramp(orders)?.nextAt).toBeLessThanOrEqual(released + hour);
    await pass(made, hour);
    expect(decisions.ramp(orders)?.state).toBe("DONE");
    expect(changes()).toEqual(["STARTED", "HELD", "STEP", "STEP"]);
  });

  it("waits while a registry cannot be read, and goes on once it can", async () => {
    const { decisions, inputs, part, second, world: made } = await world({ noErrorStates: true });
    second.sink.degraded("UNREACHABLE", new Error("no route"));
    await pass(made, 3 * hour);
    expect(part()).toBe(10);
    expect(decisions.ramp(orders)).toMatchObject({ state: "HELD", detail: "fake/two: UNREACHABLE" });
    expect(inputs.find(({ type }) => type === "degraded")).toMatchObject({ registry: two, message: "no route" });
    second.sink.alive();
    await made.calm();
    expect(part()).toBe(50);
    expect(decisions.ramp(orders)?.state).toBe("RUNNING");
  });

  it("waits while a registry is stale", async () => {
    const freshness = { staleAfterMs: 10 * 60_000 };
    const { decisions, first, second, world: made } = await world({ noErrorStates: true }, { freshness });
    await pass(made, 3 * hour);
    expect(decisions.ramp(orders)?.detail).toBe("fake/one: is STALE; fake/two: is STALE");
    first.sink.alive();
    await made.calm();
    expect(decisions.ramp(orders)?.detail).toBe("fake/two: is STALE");
    second.sink.alive();
    await made.calm();
    expect(decisions.ramp(orders)).toMatchObject({ step: 1 });
  });

  it("is rolled back at once, stays there, and goes on after a whole step's time when it is resumed", async () => {
    const { decisions, inputs, part, world: made } = await world();
    await pass(made, 2 * hour);
    expect(part()).toBe(50);
    const at = made.clock.now();
    decisions.rollbackRamp(orders, "ann");
    expect(decisions.ramp(orders)).toMatchObject({ state: "ROLLED_BACK", step: 0, since: at });
    await made.calm();
    expect(part()).toBe(10);
    await pass(made, 5 * hour);
    expect(part()).toBe(10);
    expect(decisions.ramp(orders)?.detail).toBe("step 2 was rolled back");
    const resumed = made.clock.now();
    decisions.resumeRamp(orders, "bob");
    await made.calm();
    expect(decisions.ramp(orders)).toMatchObject({ state: "RUNNING", step: 0, nextAt: resumed + hour });
    await pass(made, hour);
    expect(part()).toBe(50);
    expect(inputs.filter(({ type }) => type === "ramp")).toEqual([
      { at, type: "ramp", service: orders, action: "rollback", author: "ann" },
      { at: resumed, type: "ramp", service: orders, action: "resume", author: "bob" },
    ]);
  });

  it("is not there for a service without one", async () => {
    const { decisions } = await world({}, { rules: { ...defaultCatalogRules, of: rulesOf() } });
    expect(decisions.ramp(orders)).toBeUndefined();
    expect(() => decisions.rollbackRamp(orders, "ann")).toThrow("test/orders.test has no ramp");
    expect(() => decisions.resumeRamp(orders, "ann")).toThrow("test/orders.test has no ramp");
  });

  it("leaves a resume of a ramp that was not rolled back without effect", async () => {
    const { decisions, inputs } = await world();
    const before = [decisions.ramp(orders), inputs.length];
    decisions.resumeRamp(orders, "ann");
    expect([decisions.ramp(orders), inputs.length]).toEqual(before);
  });
});

describe("a ramp after a restart", () => {
  it("is where it was, even if its times say more", async () => {
    const held = await world({ minEligible: { "fake/two": 2 } });
    await pass(held.world, 3 * hour);
    const saved = held.decisions.ramps();
    expect(JSON.parse(JSON.stringify(saved))).toEqual(saved);
    // The second process begins at the same time as the first, so its rule is a few hours earlier.
    const rule = rampFrom(held.start - 9 * hour, { minEligible: { "fake/two": 2 } });
    const rules = { ...defaultCatalogRules, of: rulesOf(rule) };
    const again = await world({}, { rules, ramps: saved });
    expect(again.part()).toBe(10);
    expect(again.decisions.ramp(orders)).toMatchObject({ state: "HELD", step: 0 });
    const unknown = await world({}, { rules });
    expect(unknown.part()).toBe(100);
  });

  it("stays rolled back", async () => {
    const { decisions, world: made } = await world();
    await pass(made, 2 * hour);
    decisions.rollbackRamp(orders, "ann");
    const again = await world({}, { ramps: decisions.ramps() });
    await pass(again.world, 9 * hour);
    expect(again.part()).toBe(10);
    expect(again.decisions.ramp(orders)?.state).toBe("ROLLED_BACK");
  });
});

describe("other rules for a ramp", () => {
  it("may change the steps to come", async () => {
    const { decisions, part, start, world: made } = await world();
    const [first, second] = rampFrom(start).steps;
    if (first === undefined || second === undefined) throw new TypeError("two steps are there");
    const steps = [first, { ...second, shares: split(20, 80) }];
    made.aggregate.setServiceRules(rulesOf({ ...rampFrom(start), steps }));
    await made.calm();
    expect(part()).toBe(10);
    await pass(made, 2 * hour);
    expect(part()).toBe(80);
    expect(decisions.ramp(orders)).toMatchObject({ state: "DONE", steps: 2 });
  });

  it("that have the current shares at another place go on from there", async () => {
    const { decisions, part, start, world: made } = await world();
    const { steps, ...rule } = rampFrom(start);
    const before = { at: start - hour, shares: split(100, 0) };
    made.aggregate.setServiceRules(rulesOf({ ...rule, steps: [before, ...steps] }));
    await made.calm();
    expect(part()).toBe(10);
    expect(decisions.ramp(orders)).toMatchObject({ step: 1, steps: 4 });
  });

  it("that do not have the current shares begin it anew, where the times say", async () => {
    const { changes, decisions, part, start, world: made } = await world();
    await pass(made, 4 * hour);
    expect(part()).toBe(100);
    const back = [split(30, 70), split(60, 40)].map((shares, index) => ({ at: start + (index + 4) * hour, shares }));
    made.aggregate.setServiceRules(rulesOf({ ...rampFrom(start), steps: back }));
    await made.calm();
    expect(part()).toBe(70);
    expect(decisions.ramp(orders)).toMatchObject({ step: 0, nextAt: start + 5 * hour });
    expect(changes().at(-1)).toBe("STARTED");
  });

  it("without it forget it", async () => {
    const { changes, decisions, world: made } = await world();
    made.aggregate.setServiceRules(rulesOf());
    await made.calm();
    expect(decisions.ramps()).toEqual([]);
    expect(decisions.explain(orders)?.merge).toEqual({ type: "union" });
    expect(changes()).toEqual(["STARTED", "DROPPED"]);
  });
});

describe("a service that nobody knows any more", () => {
  it("keeps its ramp while that is on its way, and not afterwards", async () => {
    const { changes, decisions, first, part, second, world: made } = await world();
    first.remove("orders");
    second.remove("orders");
    await made.calm();
    expect(decisions.ramps()).toHaveLength(1);
    await pass(made, 4 * hour);
    expect(decisions.ramps()).toEqual([]);
    expect(changes()).toEqual(["STARTED", "STEP", "STEP", "DROPPED"]);
    first.upsert(record(one, "orders", "192.0.2.1"));
    second.upsert(record(two, "orders", "192.0.2.2"));
    await made.calm();
    expect(part()).toBe(100);
  });
});
