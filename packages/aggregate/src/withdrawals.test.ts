import { registryId, type ServiceInstance, type Workload } from "@signalbox/model";
import { defaultRules, type HealthRule } from "@signalbox/policy";
import type { WithdrawalResult } from "@signalbox/registry";
import { afterEach, describe, expect, it } from "vitest";
import type { AggregateInput } from "./input.ts";
import { defaultCatalogRules, type AggregateOptions, type WithdrawalRule } from "./options.ts";
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
  maxShare: 1,
  keep: 1,
  maxPerHour: 1000,
};

const guard = { ...defaultRules.guard, holdForMs: 60 * minute };

/** A registry that can be told. */
class WritableRegistry extends FakeRegistry {
  readonly withdrawn: string[] = [];
  failure: Error | undefined;
  result: WithdrawalResult = { type: "done" };

  withdraw(gone: ServiceInstance): Promise<WithdrawalResult> {
    this.withdrawn.push(gone.id);
    return this.failure === undefined ? Promise.resolve(this.result) : Promise.reject(this.failure);
  }
}

const pod = (name: string, ip: string, more: Partial<Workload> = {}) =>
  workload(two, name, { app: "orders" }, { addresses: [ip], ...more });

/** An endpoint at `ip` of the registration `object`, which registered long ago. */
const registered = (object: string, ip: string, more: Partial<ServiceInstance> = {}) =>
  instance(one, ip, { id: `at ${object}`, provenance: { registry: one, object }, registeredAt: 1, ...more });

const orders = (...instances: readonly ServiceInstance[]) => ({ service: service(one, "orders"), instances });

/** A bus on which another process leads. */
const neverLed: AggregateOptions["bus"] = {
  lead: (_, signal) =>
    new Promise((_resolve, reject) => {
      signal.addEventListener("abort", () => reject(new Error("aborted")), { once: true });
    }),
};

/** `one` lists five endpoints of `orders`; three of them have a pod in the cluster of `two`, and two lose it. */
async function haunted<R extends FakeRegistry>(
  rule: Partial<WithdrawalRule> | undefined,
  first: R,
  { health, ...more }: Partial<AggregateOptions> & { readonly health?: Partial<HealthRule> } = {},
) {
  const second = new FakeRegistry("two");
  const inputs: AggregateInput[] = [];
  const world = new World({
    registries: [first, second],
    rules: {
      ...defaultCatalogRules,
      of: () => ({ ...defaultRules, guard, health: { ...defaultRules.health, ...health } }),
      drift: { clusters: [{ registry: two, podCidrs: ["192.0.2.0/24"] }], checked: ["fake/one"] },
      guarded: ["fake/one"],
      guard,
      ...(rule && { withdrawal: { ...allowed, ...rule } }),
    },
    freshness: { staleAfterMs: Number.POSITIVE_INFINITY },
    onInput: (input) => inputs.push(input),
    ...more,
  });
  opened.push(world);
  await world.start();
  const pods = [1, 2, 3].map((index) => pod(`p${index}`, `192.0.2.${index}`));
  second.push({ type: "snapshot", records: [], workloads: pods });
  const listed = ["192.0.2.1", "192.0.2.2", "192.0.2.3", "198.51.100.1", "198.51.100.2"];
  first.snapshot(orders(...listed.map((ip) => registered(ip, ip))));
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
    first.upsert(orders(registered("192.0.2.2", "192.0.2.2"), registered("192.0.2.3", "192.0.2.3")));
    await world.calm();
    await pass(30 * minute);
    expect(outcomes()).toEqual([]);
  });

  it("never take a live registration for the address that it had before, though that is drained", async () => {
    const { first, outcomes, pass, world } = await haunted({}, new WritableRegistry("one"), {
      health: { drainForMs: 60 * minute },
    });
    // The same two registrations, at other addresses.
    first.upsert(
      orders(
        registered("192.0.2.1", "192.0.2.1"),
        ...["192.0.2.2", "192.0.2.3"].map((ip, index) => registered(ip, `198.51.100.${index + 3}`)),
        ...["198.51.100.1", "198.51.100.2"].map((ip) => registered(ip, ip)),
      ),
    );
    await world.calm();
    await pass(30 * minute);
    expect(outcomes()).toEqual([]);
    expect(first.withdrawn).toEqual([]);
  });

  it("withdraw nothing that only a drain still shows", async () => {
    const { first, outcomes, pass, world } = await haunted({}, new WritableRegistry("one"), {
      health: { drainForMs: 60 * minute },
    });
    first.upsert(orders(...["192.0.2.1", "198.51.100.1", "198.51.100.2"].map((ip) => registered(ip, ip))));
    await world.calm();
    await pass(30 * minute);
    expect(outcomes()).toEqual([]);
  });

  it("leave a registration alone of which another port is no ghost", async () => {
    const { first, outcomes, pass, world } = await haunted({}, new WritableRegistry("one"));
    first.upsert(
      orders(
        registered("192.0.2.2", "192.0.2.2"),
        registered("192.0.2.2", "192.0.2.1", { id: "second port" }),
        registered("192.0.2.3", "192.0.2.3"),
        registered("198.51.100.1", "198.51.100.1"),
      ),
    );
    await world.calm();
    await pass(12 * minute);
    expect(outcomes()).toEqual(["192.0.2.3:8080 DONE"]);
  });

  it("leave a registration alone that is no ghost in another service, whether or not that one is allowed", async () => {
    const { first, outcomes, pass, world } = await haunted({}, new WritableRegistry("one"));
    first.upsert({
      service: service(one, "by-another-name"),
      instances: [registered("192.0.2.2", "192.0.2.1", { id: "elsewhere" })],
    });
    await world.calm();
    await pass(12 * minute);
    expect(outcomes()).toEqual(["192.0.2.3:8080 DONE"]);
  });

  it("leave a registration alone that is a ghost in a service, too, that is not allowed", async () => {
    const { first, outcomes, pass, world } = await haunted({}, new WritableRegistry("one"));
    first.upsert({
      service: service(one, "by-another-name"),
      instances: [registered("192.0.2.2", "192.0.2.2", { id: "elsewhere" }), registered("192.0.2.1", "192.0.2.1")],
    });
    await world.calm();
    await pass(12 * minute);
    expect(outcomes()).toEqual(["192.0.2.3:8080 DONE"]);
  });

  it("count registrations, not their ports, for what must remain", async () => {
    const { first, outcomes, pass, world } = await haunted({ keep: 2 }, new WritableRegistry("one"));
    first.upsert(
      orders(
        registered("192.0.2.2", "192.0.2.2"),
        registered("198.51.100.1", "198.51.100.1"),
        registered("198.51.100.1", "198.51.100.1", { id: "second port" }),
        registered("198.51.100.1", "198.51.100.1", { id: "third port" }),
      ),
    );
    await world.calm();
    await pass(30 * minute);
    expect(outcomes()).toEqual([]);
  });

  it("stand still while the cluster is in trouble", async () => {
    const { outcomes, pass, second } = await haunted({}, new WritableRegistry("one"));
    second.sink.degraded("UNREACHABLE", new Error("down"));
    await pass(30 * minute);
    expect(outcomes()).toEqual([]);
    second.sink.alive();
    await pass(minute);
    expect(outcomes()).toEqual(["192.0.2.2:8080 DONE"]);
  });

  it("stand still while the cluster was not read for too long", async () => {
    const { first, outcomes, pass, second } = await haunted({}, new WritableRegistry("one"), {
      freshness: { staleAfterMs: 5 * minute },
    });
    for (let minutes = 0; minutes < 30; minutes++) {
      first.sink.alive();
      await pass(minute);
    }
    expect(outcomes()).toEqual([]);
    first.sink.alive();
    second.sink.alive();
    await pass(minute);
    expect(outcomes()).toEqual(["192.0.2.2:8080 DONE"]);
  });

  it("are left to the process that leads", async () => {
    const { first, outcomes, pass } = await haunted({}, new WritableRegistry("one"), { bus: neverLed });
    await pass(30 * minute);
    expect(outcomes()).toEqual([]);
    expect(first.withdrawn).toEqual([]);
  });

  it.each<[string, WithdrawalResult, string]>([
    ["that the source did not have it any more", { type: "gone" }, "192.0.2.2:8080 GONE"],
    ["why the source kept it", { type: "kept", reason: "it has another address" }, "192.0.2.2:8080 KEPT"],
  ])("say %s", async (_name, result, outcome) => {
    const first = new WritableRegistry("one");
    first.result = result;
    const { inputs, outcomes, pass, world } = await haunted({}, first);
    await pass(10.5 * minute);
    expect(outcomes()).toEqual([outcome]);
    const reason = result.type === "kept" ? result.reason : undefined;
    expect(inputs.find(({ type }) => type === "withdrawal")).toMatchObject(reason ? { detail: reason } : {});
    expect(world.aggregate.decisions.withdrawals()?.lastHour).toBe(0);
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

describe("the brake of withdrawals", () => {
  it.each<[string, Partial<WithdrawalRule>, readonly string[]]>([
    ["fewer are ghosts than may be", { maxShare: 0.5 }, ["192.0.2.2:8080 DONE", "192.0.2.3:8080 DONE"]],
    ["just so many are ghosts as may be", { maxShare: 0.4 }, ["192.0.2.2:8080 DONE", "192.0.2.3:8080 DONE"]],
    ["more are ghosts than may be", { maxShare: 0.39 }, []],
    ["just so many would remain as must", { keep: 3 }, ["192.0.2.2:8080 DONE", "192.0.2.3:8080 DONE"]],
    ["fewer would remain than must", { keep: 4 }, []],
  ])("where %s", async (_name, rule, expected) => {
    const { outcomes, pass, world } = await haunted(rule, new WritableRegistry("one"));
    await pass(12 * minute);
    expect(outcomes()).toEqual(expected);
    const held = world.aggregate.decisions.withdrawals()?.held;
    const holds = expected.length === 0;
    expect(held).toMatchObject(holds ? [{ registry: one, service: keyOf("orders"), listed: 5, ghosts: 2 }] : []);
    // Said once, however often it is looked at.
    expect(world.log.filter(({ event }) => event === "ghost-withdrawal-held")).toHaveLength(holds ? 1 : 0);
  });

  it("counts what was withdrawn in the last hour as if it were still there", async () => {
    const { first, outcomes, pass, second, world } = await haunted({ maxShare: 0.4 }, new WritableRegistry("one"));
    await pass(12 * minute);
    expect(outcomes()).toHaveLength(2);
    first.upsert(orders(...["192.0.2.1", "198.51.100.1", "198.51.100.2"].map((ip) => registered(ip, ip))));
    await world.calm();
    second.push({ type: "delta", workloads: { upserted: [], removed: [pod("p1", "").key] } });
    await world.calm();
    // One of three would be no more than a share of 0.4; three of five are.
    await pass(40 * minute);
    expect(outcomes()).toHaveLength(2);
    await pass(22 * minute);
    expect(outcomes()).toEqual(["192.0.2.2:8080 DONE", "192.0.2.3:8080 DONE", "192.0.2.1:8080 DONE"]);
  });

  it.each([false, true])(
    "ends all where an hour has had enough, until a person says so (dry run: %s)",
    async (dryRun) => {
      const { inputs, outcomes, pass, world } = await haunted({ dryRun, maxPerHour: 1 }, new WritableRegistry("one"));
      const { decisions } = world.aggregate;
      await pass(60 * minute);
      const outcome = dryRun ? "DRY_RUN" : "DONE";
      expect(outcomes()).toEqual([`192.0.2.2:8080 ${outcome}`]);
      const reason = expect.stringContaining(
        "1 registrations were withdrawn within an hour, and there are more",
      ) as string;
      expect(decisions.withdrawals()).toMatchObject({ lastHour: 1, maxPerHour: 1, stopped: { reason } });
      expect(inputs.filter(({ type }) => type === "withdrawals-stopped")).toMatchObject([{ reason }]);
      expect(world.log.filter(({ event }) => event === "ghost-withdrawal-stopped")).toMatchObject([{ level: "error" }]);
      // An hour alone does not let it go on.
      await pass(120 * minute);
      expect(outcomes()).toHaveLength(1);
      expect(decisions.resumeWithdrawals("ann")).toBe(true);
      expect(inputs.at(-1)).toMatchObject({ type: "withdrawals-resumed", author: "ann" });
      await pass(minute);
      expect(outcomes()).toHaveLength(2);
      expect(decisions.withdrawals()?.stopped).toBeUndefined();
      expect(decisions.resumeWithdrawals("ann")).toBe(false);
    },
  );

  it("ends all where one that was withdrawn registers again and is called a ghost again", async () => {
    const { first, outcomes, pass, second, world } = await haunted({}, new WritableRegistry("one"));
    await pass(10.5 * minute);
    expect(outcomes()).toEqual(["192.0.2.2:8080 DONE"]);
    const registeredAt = world.clock.now();
    const all = ["192.0.2.1", "192.0.2.2", "192.0.2.3", "198.51.100.1", "198.51.100.2"];
    first.upsert(orders(...all.map((ip) => registered(ip, ip, ip === "192.0.2.2" ? { registeredAt } : {}))));
    await world.calm();
    // Complete reads of the cluster that do not know it.
    for (let reads = 0; reads < 4; reads++) {
      second.sink.alive();
      await pass(minute / 4);
    }
    await pass(30 * minute);
    expect(outcomes()).toEqual(["192.0.2.2:8080 DONE"]);
    expect(world.aggregate.decisions.withdrawals()?.stopped?.reason).toBe(
      "192.0.2.2:8080 of test/orders.test was withdrawn and has registered again: somebody is alive there",
    );
  });

  it("says nothing of withdrawals where nobody asked for them", async () => {
    const { world } = await haunted(undefined, new WritableRegistry("one"));
    expect(world.aggregate.decisions.withdrawals()).toBeUndefined();
    expect(world.aggregate.decisions.resumeWithdrawals("ann")).toBe(false);
  });
});
