import { registryId } from "@signalbox/model";
import type { RegistryId } from "@signalbox/model";
import { afterEach, describe, expect, it } from "vitest";
import type { ArchivedShard, RestoreOptions, ShardArchive } from "./archive.ts";
import type { AggregateInput } from "./input.ts";
import { defaultCatalogRules, type AggregateOptions } from "./options.ts";
import { settled } from "./testing/settled.ts";
import { comparable, FakeRegistry, instance, ipsOf, record, service, workload, World } from "./testing/world.ts";

const opened: World[] = [];
afterEach(async () => {
  for (const world of opened.splice(0)) await world.stop();
});

const one = registryId("fake", "one");
const two = registryId("fake", "two");
/** FakeClock starts there. */
const began = Date.UTC(2026, 0, 1);
const dayBefore = began - 86_400_000;

/** An archive in memory, whose calls can be made to fail or to wait. */
class MemoryArchive implements ShardArchive {
  readonly saved: { readonly id: RegistryId; readonly shard: ArchivedShard }[] = [];
  readonly #shards = new Map<RegistryId, ArchivedShard>();
  gate: Promise<void> = Promise.resolve();
  failing = false;

  constructor(shards: Readonly<Record<string, ArchivedShard>> = {}) {
    for (const [id, shard] of Object.entries(shards)) this.#shards.set(id as RegistryId, shard);
  }

  async load(id: RegistryId): Promise<ArchivedShard | undefined> {
    await this.gate;
    if (this.failing) throw new Error("no disk");
    return this.#shards.get(id);
  }

  save(id: RegistryId, shard: ArchivedShard): Promise<void> {
    if (this.failing) return Promise.reject(new Error("no disk"));
    this.#shards.set(id, shard);
    this.saved.push({ id, shard });
    return Promise.resolve();
  }
}

const shard = (more: Partial<ArchivedShard> = {}): ArchivedShard => ({
  lastCompleteRead: dayBefore,
  records: [record(one, "a", "192.0.2.1")],
  workloads: [],
  objects: [],
  ...more,
});

async function started(state: RestoreOptions, options: Partial<AggregateOptions> = {}) {
  const registry = new FakeRegistry("one");
  const world = new World({ registries: [registry], syncDeadlineMs: 10_000, state, ...options });
  opened.push(world);
  await world.start();
  return { registry, world };
}

const told = (world: World, event: string): number => world.log.filter((line) => line.event === event).length;

describe("what was said before a restart", () => {
  it("is served when its registry is silent at its deadline, in the first publication, and not as fresh", async () => {
    const { world } = await started({ archive: new MemoryArchive({ [one]: shard() }) });
    await world.clock.advance(9_999);
    expect(world.events).toEqual([]);
    expect(world.aggregate.status()).toMatchObject([{ state: "INIT", services: 0 }]);
    await world.clock.advance(1);
    expect(world.events.map(({ type }) => type)).toEqual(["snapshot"]);
    expect(ipsOf(world.consumed, "a")).toEqual(["192.0.2.1"]);
    expect(world.aggregate.status()).toMatchObject([
      { state: "RESTORED", services: 1, lastCompleteRead: dayBefore, ageMs: 86_400_000 + 10_000 },
    ]);
    expect(told(world, "registry-restored")).toBe(1);
  });

  it("is served at once where that is wanted, and opens the gate", async () => {
    const { world } = await started({ archive: new MemoryArchive({ [one]: shard() }), restore: "at-once" });
    expect(ipsOf(world.consumed, "a")).toEqual(["192.0.2.1"]);
    expect(world.aggregate.status()).toMatchObject([{ state: "RESTORED" }]);
  });

  it.each(["at-deadline", "at-once"] as const)("is not served when the registry speaks first (%s)", async (restore) => {
    const archive = new MemoryArchive({ [one]: shard() });
    let open = (): void => {};
    archive.gate = new Promise((resolve) => (open = resolve));
    const { registry, world } = await started({ archive, restore });
    registry.snapshot(record(one, "b", "192.0.2.2"));
    open();
    await world.clock.advance(20_000);
    expect([...world.consumed.entries.values()].map((entry) => entry.service.hostname)).toEqual(["b.test"]);
    expect(world.events).toHaveLength(1);
    expect(world.aggregate.status()).toMatchObject([{ state: "SYNCED" }]);
  });

  it("is replaced by the first snapshot, an empty one too, and nothing else makes it fresh", async () => {
    const { registry, world } = await started({ archive: new MemoryArchive({ [one]: shard() }), restore: "at-once" });
    registry.sink.alive();
    registry.upsert(record(one, "c"));
    expect(world.aggregate.status()).toMatchObject([{ state: "RESTORED", lastCompleteRead: dayBefore }]);
    registry.snapshot();
    await world.calm();
    expect(world.consumed.entries.size).toBe(0);
    expect(world.aggregate.status()).toMatchObject([{ state: "SYNCED", ageMs: 2000 }]);
  });

  it("makes no event when the first snapshot says the same", async () => {
    const { registry, world } = await started({ archive: new MemoryArchive({ [one]: shard() }), restore: "at-once" });
    registry.snapshot(record(one, "a", "192.0.2.1"));
    await world.calm();
    expect(world.events).toHaveLength(1);
  });

  it("is waited for when it is still being read at the deadline", async () => {
    const archive = new MemoryArchive({ [one]: shard() });
    let open = (): void => {};
    archive.gate = new Promise((resolve) => (open = resolve));
    const { world } = await started({ archive });
    await world.clock.advance(10_000);
    expect(world.events).toEqual([]);
    open();
    await settled();
    expect(ipsOf(world.consumed, "a")).toEqual(["192.0.2.1"]);
  });

  it("expires by the age of its last read before the restart", async () => {
    const archive = new MemoryArchive({ [one]: shard({ lastCompleteRead: began - 3_600_000 }) });
    const freshness = { expireAfterMs: 2 * 3_600_000, onExpired: "drop" } as const;
    const { world } = await started({ archive, restore: "at-once" }, { freshness });
    expect(world.aggregate.status()).toMatchObject([{ state: "RESTORED", services: 1 }]);
    await world.clock.advance(3_600_000);
    await world.calm();
    expect(world.aggregate.status()).toMatchObject([{ state: "EXPIRED", withheld: true }]);
    expect(world.consumed.entries.size).toBe(0);
  });

  it("is never published when it expired while nothing ran", async () => {
    const freshness = { expireAfterMs: 3_600_000, onExpired: "drop" } as const;
    const { world } = await started(
      { archive: new MemoryArchive({ [one]: shard() }), restore: "at-once" },
      { freshness },
    );
    await world.calm();
    expect(world.consumed.entries.size).toBe(0);
    expect(world.aggregate.status()).toMatchObject([{ state: "EXPIRED" }]);
  });

  it("is checked like what a registry says: what is foreign or malformed is left out", async () => {
    const bad = { service: service(one, "bad"), instances: [instance(one, "not an address")] };
    const records = [record(one, "a", "192.0.2.1"), record(two, "b", "192.0.2.2"), bad];
    const { world } = await started({ archive: new MemoryArchive({ [one]: shard({ records }) }), restore: "at-once" });
    expect([...world.consumed.entries.values()].map((entry) => entry.service.hostname)).toEqual(["a.test"]);
    expect(told(world, "record-rejected")).toBe(2);
  });

  it("that cannot be read is logged, counted and stands in nobody's way", async () => {
    const counted: unknown[] = [];
    const metrics = () => ({ counter: (...args: unknown[]) => counted.push(args), histogram: () => {} });
    const archive = new MemoryArchive();
    archive.failing = true;
    const { registry, world } = await started({ archive }, { metrics });
    expect(told(world, "registry-restore-failed")).toBe(1);
    expect(counted).toEqual([["registry_archive_failures_total", { operation: "load" }]]);
    registry.snapshot(record(one, "a", "192.0.2.1"));
    await world.calm();
    expect(ipsOf(world.consumed, "a")).toEqual(["192.0.2.1"]);
  });

  it("comes back too for a registry that is added while all runs, after its own deadline", async () => {
    const archive = new MemoryArchive({ [two]: shard({ records: [record(two, "b", "192.0.2.2")] }) });
    const { registry, world } = await started({ archive });
    registry.snapshot(record(one, "a"));
    await world.calm();
    world.aggregate.addRegistry(new FakeRegistry("two"), { syncDeadlineMs: 5000 });
    await world.clock.advance(4999);
    expect(world.aggregate.status()[1]?.state).toBe("INIT");
    await world.clock.advance(1);
    await world.calm();
    expect(ipsOf(world.consumed, "b")).toEqual(["192.0.2.2"]);
    await world.aggregate.removeRegistry(two);
    await world.calm();
    expect(world.consumed.entries.size).toBe(1);
  });

  it("does not come back for a registry that was removed meanwhile", async () => {
    const archive = new MemoryArchive({ [two]: shard({ records: [record(two, "b", "192.0.2.2")] }) });
    const { registry, world } = await started({ archive });
    registry.snapshot(record(one, "a"));
    world.aggregate.addRegistry(new FakeRegistry("two"), { syncDeadlineMs: 5000 });
    await world.aggregate.removeRegistry(two);
    await world.clock.advance(10_000);
    expect(world.consumed.entries.size).toBe(1);
  });
});

describe("what a registry says", () => {
  it("is saved after a change, but not more often than allowed, and at the end", async () => {
    const archive = new MemoryArchive();
    const { registry, world } = await started({ archive, saveEveryMs: 60_000 });
    registry.snapshot(record(one, "a", "192.0.2.1"));
    await world.clock.advance(59_999);
    expect(archive.saved).toEqual([]);
    await world.clock.advance(1);
    expect(archive.saved).toMatchObject([{ id: one, shard: { lastCompleteRead: began, workloads: [], objects: [] } }]);
    for (let i = 0; i < 60; i++) {
      await world.clock.advance(1000);
      registry.upsert(record(one, "a", `192.0.2.${i + 2}`));
    }
    await world.calm();
    expect(archive.saved).toHaveLength(2);
    registry.push({
      type: "delta",
      workloads: { upserted: [workload(one, "w", {})], removed: [] },
    });
    await world.stop();
    expect(archive.saved).toHaveLength(3);
    expect(archive.saved.at(-1)?.shard).toMatchObject({
      records: [{ instances: [{ addresses: [{ ip: "192.0.2.61" }] }] }],
      workloads: [{ addresses: ["192.0.2.9"] }],
    });
  });

  it("is saved for its age alone seldom, and at the end", async () => {
    const archive = new MemoryArchive();
    const { registry, world } = await started({ archive, saveEveryMs: 10_000 });
    registry.snapshot();
    for (let i = 0; i < 59; i++) {
      await world.clock.advance(10_000);
      registry.sink.alive();
    }
    expect(archive.saved).toHaveLength(2);
    const last = world.clock.now();
    await world.stop();
    expect(archive.saved.at(-1)?.shard.lastCompleteRead).toBe(last);
  });

  it("is not saved before it spoke: what is there from before the restart stays as it is", async () => {
    const archive = new MemoryArchive({ [one]: shard() });
    const { registry, world } = await started({ archive, restore: "at-once" });
    registry.sink.degraded("UNREACHABLE", new Error("down"));
    await world.clock.advance(1_000_000);
    await world.stop();
    expect(archive.saved).toEqual([]);
  });

  it("is saved again after a failure, which is logged", async () => {
    const archive = new MemoryArchive();
    const { registry, world } = await started({ archive });
    archive.failing = true;
    registry.snapshot(record(one, "a", "192.0.2.1"));
    await world.clock.advance(10_000);
    expect(told(world, "registry-save-failed")).toBe(1);
    archive.failing = false;
    await world.clock.advance(10_000);
    expect(archive.saved).toHaveLength(1);
  });

  it("survives two restarts, the second one with the source still down", async () => {
    const archive = new MemoryArchive();
    const first = await started({ archive });
    first.registry.snapshot(record(one, "a", "192.0.2.1"));
    await first.world.calm();
    await first.world.stop();
    for (let i = 0; i < 2; i++) {
      const { world } = await started({ archive });
      await world.clock.advance(10_000);
      expect(ipsOf(world.consumed, "a")).toEqual(["192.0.2.1"]);
      expect(world.aggregate.status()).toMatchObject([{ state: "RESTORED", lastCompleteRead: began }]);
      await world.stop();
    }
  });
});

describe("a guard of a registry that speaks before what it said is served", () => {
  const rules = { ...defaultCatalogRules, guarded: ["fake/*"] };
  const kept = () =>
    shard({ records: [record(one, "a", "192.0.2.1", "192.0.2.2"), record(one, "b", "192.0.2.3", "192.0.2.4")] });

  it("doubts a source that lost its data over the restart, and writes down what it compared with", async () => {
    const inputs: AggregateInput[] = [];
    const { registry, world } = await started(
      { archive: new MemoryArchive({ [one]: kept() }) },
      { rules, onInput: (input) => inputs.push(input) },
    );
    registry.snapshot();
    await world.calm();
    expect(ipsOf(world.consumed, "a")).toEqual(["192.0.2.1", "192.0.2.2"]);
    expect(world.aggregate.decisions.guards()).toMatchObject([{ scope: "source", held: { endpoints: 4 } }]);
    const updates = inputs.filter(({ type }) => type === "update");
    expect(updates).toMatchObject([{ update: { records: [{}, {}] } }, { update: { records: [] } }]);
    // Whoever plays the inputs to a guard that knows nothing gets the same.
    const replayed = new FakeRegistry("one");
    const second = new World({ registries: [replayed], rules });
    opened.push(second);
    await second.start();
    for (const input of updates) if (input.type === "update") replayed.push(input.update);
    await second.calm();
    expect(comparable(second.consumed)).toEqual(comparable(world.consumed));
  });

  it.each<[string, Partial<AggregateOptions>, Partial<ArchivedShard>]>([
    ["that nobody guards", {}, {}],
    ["whose content is too old", { rules, freshness: { expireAfterMs: 1000, onExpired: "drop" } }, {}],
  ])("is not there for one %s", async (_name, options, more) => {
    const { registry, world } = await started(
      { archive: new MemoryArchive({ [one]: { ...kept(), ...more } }) },
      options,
    );
    registry.snapshot();
    await world.calm();
    expect(world.consumed.entries.size).toBe(0);
  });

  it("believes the source when nothing was kept", async () => {
    const { registry, world } = await started({ archive: new MemoryArchive() }, { rules });
    registry.snapshot(record(one, "c", "192.0.2.9"));
    await world.calm();
    expect([...world.consumed.entries.keys()]).toEqual(["test/c.test"]);
  });
});
