import { registryId, type ServiceInstance, type Workload } from "@signalbox/model";
import { defaultRules } from "@signalbox/policy";
import { afterEach, describe, expect, it } from "vitest";
import type { AggregateInput } from "./input.ts";
import { defaultCatalogRules, type WithdrawalRule } from "./options.ts";
import { settled } from "./testing/settled.ts";
import { FakeRegistry, instance, keyOf, record, service, workload, World } from "./testing/world.ts";

const opened: World[] = [];
afterEach(async () => {
  for (const world of opened.splice(0)) await world.stop();
});

const [one, two] = [registryId("fake", "one"), registryId("fake", "two")];
const minute = 60_000;
const allowed: WithdrawalRule = {
  dryRun: false,
  registries: ["fake/one"],
  services: ["orders.*"],
  ghostForMs: 10 * minute,
  everyMs: minute,
};

const guard = { ...defaultRules.guard, holdForMs: 60 * minute };

/** A registry that can be told. */
class WritableRegistry extends FakeRegistry {
  readonly withdrawn: string[] = [];
  failure: Error | undefined;

  withdraw(gone: ServiceInstance): Promise<void> {
    this.withdrawn.push(gone.id);
    return this.failure === undefined ? Promise.resolve() : Promise.reject(this.failure);
  }
}

const pod = (name: string, ip: string, more: Partial<Workload> = {}) =>
  workload(two, name, { app: "orders" }, { addresses: [ip], ...more });

/** `one` lists five endpoints of `orders`; three of them have a pod in the cluster of `two`, and two lose it. */
async function haunted<R extends FakeRegistry>(rule: Partial<WithdrawalRule> | undefined, first: R) {
  const second = new FakeRegistry("two");
  const inputs: AggregateInput[] = [];
  const world = new World({
    registries: [first, second],
    rules: {
      ...defaultCatalogRules,
      of: () => ({ ...defaultRules, guard }),
      drift: { clusters: [{ registry: two, podCidrs: ["192.0.2.0/24"] }], checked: ["fake/one"] },
      guarded: ["fake/one"],
      guard,
      ...(rule && { withdrawal: { ...allowed, ...rule } }),
    },
    freshness: { staleAfterMs: Number.POSITIVE_INFINITY },
    onInput: (input) => inputs.push(input),
  });
  opened.push(world);
  await world.start();
  const pods = [1, 2, 3].map((index) => pod(`p${index}`, `192.0.2.${index}`));
  second.push({ type: "snapshot", records: [], workloads: pods });
  const listed = ["192.0.2.1", "192.0.2.2", "192.0.2.3", "198.51.100.1", "198.51.100.2"];
  first.snapshot(record(one, "orders", ...listed));
  await world.calm();
  const remove = (...indices: readonly number[]) =>
    second.push({
      type: "delta",
      workloads: { upserted: [], removed: indices.map((index) => pod(`p${index}`, "").key) },
    });
  remove(2);
  await world.clock.advance(1000);
  remove(3);
  await world.calm();
  const outcomes = () =>
    inputs.flatMap((input) => (input.type === "withdrawal" ? [`${input.address} ${input.outcome}`] : []));
  const pass = async (ms: number) => {
    for (let passed = 0; passed < ms; passed += minute / 2) {
      await world.clock.advance(Math.min(minute / 2, ms - passed));
      await settled();
    }
  };
  return { first, inputs, outcomes, pass, second, world };
}

describe("withdrawals", () => {
  it("tell the registry of its ghosts, the longest first, one at a time, and not too soon", async () => {
    const { first, inputs, outcomes, pass } = await haunted({}, new WritableRegistry("one"));
    await pass(9 * minute);
    expect(outcomes()).toEqual([]);
    await pass(1.5 * minute);
    expect(outcomes()).toEqual(["192.0.2.2:8080 DONE"]);
    await pass(minute);
    expect(outcomes()).toEqual(["192.0.2.2:8080 DONE", "192.0.2.3:8080 DONE"]);
    expect(first.withdrawn).toEqual(["at 192.0.2.2", "at 192.0.2.3"]);
    expect(inputs.find(({ type }) => type === "withdrawal")).toMatchObject({
      ...{ registry: one, service: keyOf("orders"), instance: "at 192.0.2.2" },
    });
    // Those that still list them are told again when they have been ghosts for as long once more.
    await pass(8 * minute);
    expect(outcomes()).toHaveLength(2);
    await pass(4 * minute);
    expect(outcomes()).toHaveLength(4);
  });

  it("end when the registry lists the ghosts no longer", async () => {
    const { first, outcomes, pass, world } = await haunted({}, new WritableRegistry("one"));
    await pass(11 * minute);
    first.upsert(record(one, "orders", "192.0.2.1", "198.51.100.1", "198.51.100.2"));
    await world.calm();
    const before = outcomes().length;
    await pass(30 * minute);
    expect(outcomes()).toHaveLength(before);
  });

  it.each<[string, Partial<WithdrawalRule> | undefined]>([
    ["nobody asked for it", undefined],
    ["the service is not allowed", { services: ["payments.*"] }],
    ["the registry is not allowed", { registries: ["fake/two"] }],
  ])("do not happen where %s", async (_name, rule) => {
    const { first, outcomes, pass } = await haunted(rule, new WritableRegistry("one"));
    await pass(30 * minute);
    expect(outcomes()).toEqual([]);
    expect(first.withdrawn).toEqual([]);
  });

  it("say what they would do in a dry run, and do nothing", async () => {
    const { first, outcomes, pass, world } = await haunted({ dryRun: true }, new WritableRegistry("one"));
    await pass(12 * minute);
    expect(outcomes()).toEqual(["192.0.2.2:8080 DRY_RUN", "192.0.2.3:8080 DRY_RUN"]);
    expect(first.withdrawn).toEqual([]);
    expect(world.log.filter(({ event }) => event === "ghost-withdrawn")).toHaveLength(2);
  });

  it("stand still while the cluster cannot be believed", async () => {
    const { outcomes, pass, world } = await haunted({}, new WritableRegistry("one"));
    await world.aggregate.removeRegistry(two);
    await pass(30 * minute);
    expect(outcomes()).toEqual([]);
  });

  it("stand still while the registry is in trouble", async () => {
    const { first, outcomes, pass } = await haunted({}, new WritableRegistry("one"));
    first.sink.degraded("UNREACHABLE", new Error("down"));
    await pass(30 * minute);
    expect(outcomes()).toEqual([]);
    first.sink.alive();
    await pass(minute);
    expect(outcomes()).toEqual(["192.0.2.2:8080 DONE"]);
  });

  it("stand still while a guard holds anything of the registry", async () => {
    const { first, outcomes, pass, world } = await haunted({}, new WritableRegistry("one"));
    const many = Array.from({ length: 20 }, (_, index) => `198.51.100.${index + 10}`);
    first.upsert({ service: service(one, "other"), instances: many.map((ip) => instance(one, ip)) });
    await world.calm();
    first.remove("other");
    await world.calm();
    const [open] = world.aggregate.decisions.guards();
    expect(open?.registry).toBe(one);
    await pass(20 * minute);
    expect(outcomes()).toEqual([]);
    world.aggregate.decisions.decideGuard(open?.id ?? "", { type: "accept" }, "ann");
    await pass(minute);
    expect(outcomes()).toEqual(["192.0.2.2:8080 DONE"]);
  });

  it("leave alone what has a workload again", async () => {
    const { outcomes, pass, second } = await haunted({}, new WritableRegistry("one"));
    second.push({ type: "delta", workloads: { upserted: [pod("new", "192.0.2.2")], removed: [] } });
    await pass(11 * minute);
    expect(outcomes()).toEqual(["192.0.2.3:8080 DONE"]);
  });

  it("leave a service alone of which its registry would list nothing any more", async () => {
    const { first, outcomes, pass, world } = await haunted({}, new WritableRegistry("one"));
    first.upsert(record(one, "orders", "192.0.2.2", "192.0.2.3"));
    await world.calm();
    await pass(30 * minute);
    expect(outcomes()).toEqual([]);
  });

  it("tell what failed, and of a registry that cannot be told", async () => {
    const failing = new WritableRegistry("one");
    failing.failure = new Error("no");
    const failed = await haunted({}, failing);
    await failed.pass(11 * minute);
    expect(failed.outcomes()).toEqual(
      ["192.0.2.2:8080 FAILED", "192.0.2.3:8080 FAILED"].slice(0, failed.outcomes().length),
    );
    expect(failed.outcomes().length).toBeGreaterThan(0);
    const deaf = await haunted({}, new FakeRegistry("one"));
    await deaf.pass(10.5 * minute);
    expect(deaf.outcomes()).toEqual(["192.0.2.2:8080 UNSUPPORTED"]);
  });
});
