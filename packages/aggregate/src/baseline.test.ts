import { registryId } from "@signalbox/model";
import type { RegistryId } from "@signalbox/model";
import { afterEach, describe, expect, it } from "vitest";
import type { ArchivedShard, ShardArchive } from "./archive.ts";
import type { AggregateOptions } from "./options.ts";
import { settled } from "./testing/settled.ts";
import { FakeRegistry, ipsOf, record, World } from "./testing/world.ts";

const opened: World[] = [];
afterEach(async () => {
  for (const world of opened.splice(0)) await world.stop();
});

const one = registryId("fake", "one");
const two = registryId("fake", "two");
/** FakeClock starts there. */
const began = Date.UTC(2026, 0, 1);
const modes = ["at-deadline", "at-once"] as const;

/** An archive that holds the same for good, and gives it away once the gate is open. */
function archiveOf(shards: Readonly<Record<string, ArchivedShard>>, gate: Promise<void> = Promise.resolve()) {
  const archive: ShardArchive = {
    load: async (id: RegistryId) => {
      await gate;
      return shards[id];
    },
    save: () => Promise.resolve(),
  };
  return archive;
}

const shardOf = (id: RegistryId, ...ips: readonly string[]): ArchivedShard => ({
  lastCompleteRead: began - 3_600_000,
  records: [record(id, "a", ...ips)],
  workloads: [],
  objects: [],
});

async function started(options: Partial<AggregateOptions>) {
  const registry = new FakeRegistry("one");
  const world = new World({ registries: [registry], syncDeadlineMs: 10_000, ...options });
  opened.push(world);
  await world.start();
  return { registry, world };
}

describe("the baseline of a run", () => {
  it.each(modes)("is what was kept from before a restart, before and after it is served (%s)", async (restore) => {
    const archive = archiveOf({ [one]: shardOf(one, "192.0.2.1") });
    const { registry, world } = await started({ state: { archive, restore } });
    expect(await registry.baseline()).toEqual(["a.test 192.0.2.1"]);
    await world.clock.advance(10_000);
    expect(ipsOf(world.consumed, "a")).toEqual(["192.0.2.1"]);
    expect(await registry.baseline()).toEqual(["a.test 192.0.2.1"]);
  });

  it.each(modes)("waits until what was kept is read, and no longer than its signal (%s)", async (restore) => {
    let open = (): void => {};
    const gate = new Promise<void>((resolve) => (open = resolve));
    const archive = archiveOf({ [one]: shardOf(one, "192.0.2.1") }, gate);
    const { registry } = await started({ state: { archive, restore } });
    const end = new AbortController();
    const given = registry.baseline(end.signal);
    end.abort(new Error("enough"));
    await expect(given).rejects.toThrow("enough");
    const waiting = registry.baseline();
    await settled();
    open();
    expect(await waiting).toEqual(["a.test 192.0.2.1"]);
  });

  it("is empty without an archive, and where there is nothing in it", async () => {
    expect(await (await started({})).registry.baseline()).toEqual([]);
    const { registry } = await started({ state: { archive: archiveOf({}) } });
    expect(await registry.baseline()).toEqual([]);
  });

  it("is checked: what is of another registry does not come through", async () => {
    const archive = archiveOf({ [one]: shardOf(two, "192.0.2.1") });
    const { registry } = await started({ state: { archive } });
    expect(await registry.baseline()).toEqual([]);
  });

  it("is what this process heard last, once the registry has spoken", async () => {
    const archive = archiveOf({ [one]: shardOf(one, "192.0.2.1") });
    const { registry } = await started({ state: { archive } });
    registry.snapshot(record(one, "b", "192.0.2.2"), record(one, "c", "192.0.2.3"));
    registry.remove("c");
    expect(await registry.baseline()).toEqual(["b.test 192.0.2.2"]);
  });

  it("leads over a run that ended by itself, and over a replacement under the same id", async () => {
    const { registry, world } = await started({});
    registry.snapshot(record(one, "a", "192.0.2.1"));
    registry.end(new Error("crashed"));
    await world.clock.advance(2000);
    expect(registry.runs).toBe(2);
    expect(await registry.baseline()).toEqual(["a.test 192.0.2.1"]);
    const next = new FakeRegistry("one");
    await world.aggregate.replaceRegistry(next);
    expect(await next.baseline()).toEqual(["a.test 192.0.2.1"]);
  });

  it("is that of the one registry only", async () => {
    const other = new FakeRegistry("two");
    const { registry } = await started({ registries: [other] });
    const world = opened.at(-1);
    world?.aggregate.addRegistry(registry);
    registry.snapshot(record(one, "a", "192.0.2.1"));
    expect(await registry.baseline()).toEqual(["a.test 192.0.2.1"]);
    expect(await other.baseline()).toEqual([]);
  });

  it("comes also to a registry that is added while all runs, and asks at once", async () => {
    const archive = archiveOf({ [two]: shardOf(two, "192.0.2.2") });
    const { world } = await started({ state: { archive } });
    const asked: Promise<readonly string[]>[] = [];
    class Eager extends FakeRegistry {
      override async run(...args: Parameters<FakeRegistry["run"]>): Promise<void> {
        const running = super.run(...args);
        asked.push(this.baseline());
        await running;
      }
    }
    world.aggregate.addRegistry(new Eager("two"));
    expect(await asked[0]).toEqual(["a.test 192.0.2.2"]);
  });

  it("does not bring back what is too old to be served", async () => {
    const archive = archiveOf({ [one]: shardOf(one, "192.0.2.1") });
    const freshness = { expireAfterMs: 1_800_000, onExpired: "drop" } as const;
    for (const restore of modes) {
      const { registry, world } = await started({ state: { archive, restore }, freshness });
      expect(await registry.baseline()).toEqual([]);
      await world.clock.advance(10_000);
      expect(await registry.baseline()).toEqual([]);
    }
    const kept = await started({ state: { archive }, freshness: { ...freshness, onExpired: "keep" } });
    expect(await kept.registry.baseline()).toEqual(["a.test 192.0.2.1"]);
  });

  it("is nothing for a registry that was removed meanwhile", async () => {
    const { registry, world } = await started({ state: { archive: archiveOf({ [one]: shardOf(one, "192.0.2.1") }) } });
    await world.aggregate.removeRegistry(one);
    expect(await registry.baseline(new AbortController().signal)).toEqual([]);
  });
});
