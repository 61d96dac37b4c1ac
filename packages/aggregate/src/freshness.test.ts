import type { ServiceInstance } from "@signalbox/model";
import { registryId } from "@signalbox/model";
import { SourceError } from "@signalbox/registry";
import { afterEach, describe, expect, it } from "vitest";
import type { AggregateOptions } from "./options.ts";
import { FakeRegistry, ipsOf, record, World } from "./testing/world.ts";

const opened: World[] = [];
afterEach(async () => {
  for (const world of opened.splice(0)) await world.stop();
});

const one = registryId("fake", "one");
const minute = 60_000;
const hour = 60 * minute;

async function started(options: Partial<AggregateOptions> = {}) {
  const registry = new FakeRegistry("one");
  const world = new World({ registries: [registry], ...options });
  opened.push(world);
  await world.start();
  return { registry, world };
}

async function spoken(freshness: AggregateOptions["freshness"]) {
  const { registry, world } = await started({ freshness: { ...freshness } });
  registry.snapshot(record(one, "a", "192.0.2.1"));
  await world.calm();
  return { registry, world };
}

const stateOf = (world: World): unknown => world.aggregate.status()[0]?.state;
const told = (world: World): string[] =>
  world.log.map(({ event }) => event).filter((event) => event !== "bus-lead-won");

describe("the state of a registry", () => {
  it("is INIT until the first snapshot, whatever else it says", async () => {
    const { registry, world } = await started();
    registry.sink.alive();
    registry.sink.degraded("UNREACHABLE", new Error("down"));
    expect(world.aggregate.status()).toMatchObject([{ state: "INIT", problem: "UNREACHABLE" }]);
    expect(world.aggregate.status()[0]).not.toHaveProperty("ageMs");
    registry.snapshot();
    expect(world.aggregate.status()).toMatchObject([{ state: "SYNCED", ageMs: 0 }]);
    expect(world.aggregate.status()[0]).not.toHaveProperty("problem");
  });

  it("goes from SYNCED to STALE to EXPIRED by age alone, and back with the next complete read", async () => {
    const { registry, world } = await spoken({ staleAfterMs: minute, expireAfterMs: hour });
    await world.clock.advance(minute - 2000 - 1);
    expect(stateOf(world)).toBe("SYNCED");
    await world.clock.advance(1);
    expect(world.aggregate.status()).toMatchObject([{ state: "STALE", ageMs: minute }]);
    await world.clock.advance(hour - minute);
    expect(stateOf(world)).toBe("EXPIRED");
    expect(ipsOf(world.consumed, "a")).toEqual(["192.0.2.1"]);
    registry.sink.alive();
    expect(world.aggregate.status()).toMatchObject([{ state: "SYNCED", ageMs: 0 }]);
    await world.clock.advance(minute);
    expect(told(world)).toEqual(["registry-stale", "registry-expired", "registry-fresh", "registry-stale"]);
    expect(world.events).toHaveLength(1);
  });

  it("stays SYNCED while reads find nothing new, with one timer", async () => {
    const { registry, world } = await spoken({ staleAfterMs: minute });
    for (let i = 0; i < 100; i++) {
      await world.clock.advance(minute / 2);
      registry.sink.alive();
      expect(world.clock.pending.filter(({ ms }) => ms > 2000)).toHaveLength(1);
    }
    expect(told(world)).toEqual([]);
  });

  it.each(["UNREACHABLE", "AUTH_FAILED", "PROTOCOL_ERROR"] as const)(
    "is told apart from the problem %s, which does not stop the age",
    async (problem) => {
      const { registry, world } = await spoken({ staleAfterMs: minute });
      registry.sink.degraded(problem, new Error("no"));
      expect(world.aggregate.status()).toMatchObject([{ state: "SYNCED", problem }]);
      await world.clock.advance(minute);
      registry.sink.degraded(problem, new Error("no"));
      expect(world.aggregate.status()).toMatchObject([{ state: "STALE", problem, services: 1 }]);
      expect(ipsOf(world.consumed, "a")).toEqual(["192.0.2.1"]);
    },
  );

  it("shows the problem that a run ended with", async () => {
    const { registry, world } = await spoken({});
    registry.end(new SourceError("AUTH_FAILED", "wrong token", { permanent: true }));
    await world.calm();
    expect(world.aggregate.status()).toMatchObject([{ state: "SYNCED", problem: "AUTH_FAILED" }]);
  });

  it("has limits of its own, which a replacement changes at once", async () => {
    const { world } = await started();
    const two = new FakeRegistry("two");
    world.aggregate.addRegistry(two, { freshness: { staleAfterMs: 1000 } });
    two.snapshot();
    await world.clock.advance(1000);
    expect(world.aggregate.status()[1]?.state).toBe("STALE");
    await world.aggregate.replaceRegistry(new FakeRegistry("two"), { freshness: { staleAfterMs: 5000 } });
    expect(world.aggregate.status()[1]?.state).toBe("SYNCED");
    await world.clock.advance(4000);
    expect(world.aggregate.status()[1]?.state).toBe("STALE");
  });
});

describe("what an expired registry said", () => {
  const drop = { staleAfterMs: minute, expireAfterMs: hour, onExpired: "drop" } as const;

  it("leaves the catalog where it is to be dropped, and comes back when the source is alive", async () => {
    const { registry, world } = await spoken(drop);
    const before = world.consumed;
    await world.clock.advance(hour);
    await world.calm();
    expect(world.consumed.entries.size).toBe(0);
    expect(world.aggregate.status()).toMatchObject([{ state: "EXPIRED", services: 0, withheld: true }]);
    registry.sink.alive();
    await world.calm();
    expect(world.consumed.entries).toEqual(before.entries);
    expect(world.aggregate.status()[0]).not.toHaveProperty("withheld");
  });

  it("comes back as the source says it now", async () => {
    const { registry, world } = await spoken(drop);
    await world.clock.advance(hour);
    registry.upsert(record(one, "a", "192.0.2.2"), record(one, "b"));
    await world.calm();
    expect(ipsOf(world.consumed, "a")).toEqual(["192.0.2.2"]);
    expect(world.consumed.entries.size).toBe(2);
  });

  it("gives way to another registry that knows the same service", async () => {
    const { world } = await spoken(drop);
    const two = new FakeRegistry("two");
    world.aggregate.addRegistry(two, { freshness: { expireAfterMs: Number.POSITIVE_INFINITY } });
    two.snapshot(record(two.id, "a", "192.0.2.9"));
    await world.calm();
    expect(ipsOf(world.consumed, "a")).toEqual(["192.0.2.1", "192.0.2.9"]);
    await world.clock.advance(hour);
    await world.calm();
    expect(ipsOf(world.consumed, "a")).toEqual(["192.0.2.9"]);
    expect(world.consumed.entries.values().next().value?.registries).toEqual([two.id]);
  });

  describe("and that comes after what is fresher", () => {
    const last = { staleAfterMs: minute, expireAfterMs: hour, onExpired: "deprioritise" } as const;
    const expired = [{ stage: "freshness", code: "EXPIRED", since: Date.UTC(2026, 0, 1) + hour }];

    const instancesOf = (world: World) =>
      [...world.consumed.entries.values()].flatMap(({ instances }) =>
        instances.map(({ addresses: [first], priority, healthStatus, findings }) => ({
          ip: first.type === "ip" ? first.ip : first.type,
          priority,
          healthStatus,
          findings,
        })),
      );

    /** Two registries that know the same service; the second one is read all the time. */
    async function two(freshness: AggregateOptions["freshness"], ...ips: readonly string[]) {
      const { registry, world } = await spoken(freshness);
      const other = new FakeRegistry("two");
      world.aggregate.addRegistry(other, { freshness: { expireAfterMs: Number.POSITIVE_INFINITY } });
      other.snapshot(record(other.id, "a", ...ips));
      await world.calm();
      return { registry, other, world };
    }

    it("stays, behind the endpoints of the other registry, with a finding and a version of its own", async () => {
      const { registry, world } = await two(last, "192.0.2.9");
      const before = world.consumed;
      await world.clock.advance(hour);
      await world.calm();
      expect(instancesOf(world)).toEqual([
        { ip: "192.0.2.1", priority: 1, healthStatus: "HEALTHY", findings: expired },
        { ip: "192.0.2.9", priority: 0, healthStatus: "HEALTHY", findings: [] },
      ]);
      const versions = (of: World["consumed"]) => of.entries.values().next().value?.versions;
      expect(versions(world.consumed)?.service).toBe(versions(before)?.service);
      expect(versions(world.consumed)?.instances).not.toBe(versions(before)?.instances);
      expect(world.aggregate.status()).toMatchObject([
        { state: "EXPIRED", services: 1, deprioritised: true },
        { state: "STALE", services: 1 },
      ]);
      registry.sink.alive();
      await world.calm();
      expect(world.consumed.entries).toEqual(before.entries);
      expect(world.aggregate.status()[0]).not.toHaveProperty("deprioritised");
    });

    it("is not what another registry knows, too; that one says how the endpoint is", async () => {
      const { registry, other, world } = await two(last, "192.0.2.1");
      const { instances, ...rest } = record(one, "a", "192.0.2.1", "192.0.2.2");
      const [first, ...others] = instances.map((each) => ({ ...each }));
      registry.upsert({ ...rest, instances: [{ ...first, healthStatus: "DRAINING" }, ...others] as ServiceInstance[] });
      other.upsert(record(other.id, "a", "192.0.2.1"));
      await world.calm();
      expect(instancesOf(world).map(({ healthStatus }) => healthStatus)).toEqual(["DRAINING", "HEALTHY"]);
      await world.clock.advance(hour);
      await world.calm();
      expect(instancesOf(world)).toMatchObject([
        { ip: "192.0.2.1", priority: 0, healthStatus: "HEALTHY", findings: [] },
        { ip: "192.0.2.2", priority: 1, healthStatus: "HEALTHY", findings: [{ code: "EXPIRED" }] },
      ]);
      expect(world.consumed.entries.values().next().value?.registries).toEqual([one, other.id]);
    });

    it("is treated by the limits that a replacement brings", async () => {
      const { world } = await two(last, "192.0.2.9");
      await world.clock.advance(hour);
      await world.calm();
      const limits = { expireAfterMs: hour, onExpired: "keep" } as const;
      await world.aggregate.replaceRegistry(new FakeRegistry("one"), { freshness: limits });
      await world.calm();
      expect(instancesOf(world).map(({ priority }) => priority)).toEqual([0, 0]);
      await world.aggregate.replaceRegistry(new FakeRegistry("one"), { freshness: { ...limits, onExpired: "drop" } });
      await world.calm();
      expect(instancesOf(world).map(({ ip }) => ip)).toEqual(["192.0.2.9"]);
    });

    it("is so also when it expired while nothing ran", async () => {
      const shard = { lastCompleteRead: Date.UTC(2026, 0, 1) - 2 * hour, workloads: [], objects: [] };
      const archive = {
        load: () => Promise.resolve({ ...shard, records: [record(one, "a", "192.0.2.1")] }),
        save: () => Promise.resolve(),
      };
      const { world } = await started({ freshness: last, state: { archive, restore: "at-once" } });
      await world.calm();
      expect(instancesOf(world)).toMatchObject([
        { ip: "192.0.2.1", priority: 1, findings: [{ code: "EXPIRED", since: Date.UTC(2026, 0, 1) - hour }] },
      ]);
    });
  });
});
