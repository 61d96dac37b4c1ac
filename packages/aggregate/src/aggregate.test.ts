import { createInProcessBus } from "@signalbox/event-bus";
import type { BusWriter, EventBus } from "@signalbox/event-bus";
import { registryId } from "@signalbox/model";
import type { CatalogDelta, ServiceRecord } from "@signalbox/model";
import { mergeService } from "@signalbox/policy";
import type { RegistryUpdate } from "@signalbox/registry";
import { FakeClock } from "@signalbox/registry/conformance";
import { afterEach, describe, expect, it } from "vitest";
import type { AggregateOptions, MergePolicy, Publication } from "./options.ts";
import { settled } from "./testing/settled.ts";
import {
  comparable,
  configObject,
  FakeRegistry,
  instance,
  ipsOf,
  keyOf,
  record,
  service,
  workload,
  World,
} from "./testing/world.ts";

const opened: World[] = [];
afterEach(async () => {
  for (const world of opened.splice(0)) await world.stop();
});

async function started(...args: ConstructorParameters<typeof World>): Promise<World> {
  const world = new World(...args);
  opened.push(world);
  return world.start();
}

/** A running world whose one registry has said this much. */
async function worldWith(...records: readonly ServiceRecord[]) {
  const registry = new FakeRegistry("one");
  const world = await started({ registries: [registry] });
  registry.snapshot(...records);
  await world.calm();
  return { registry, world };
}

/** An update that adds or replaces these records. */
function records(...upserted: readonly ServiceRecord[]): RegistryUpdate {
  return { type: "delta", records: { upserted, removed: [] } };
}

const one = registryId("fake", "one");
const two = registryId("fake", "two");

describe("what an aggregate publishes", () => {
  it("is the catalog as a snapshot first, then one delta for each change", async () => {
    const { registry, world } = await worldWith(record(one, "a", "192.0.2.1"));
    registry.upsert(record(one, "a", "192.0.2.1", "192.0.2.2"));
    await world.calm();
    expect(world.events.map((event) => event.type)).toEqual(["snapshot", "delta"]);
    expect(ipsOf(world.consumed, "a")).toEqual(["192.0.2.1", "192.0.2.2"]);
    expect(world.consumed.revision).toEqual(world.aggregate.catalog().revision);
    expect(world.consumed.revision.sequence).toBe(1);
  });

  it("is nothing for a resent snapshot, a resent delta or one that removes what is not there", async () => {
    const { registry, world } = await worldWith(record(one, "a", "192.0.2.1"), record(one, "b"));
    const before = world.aggregate.catalog();
    registry.snapshot(record(one, "b"), record(one, "a", "192.0.2.1"));
    registry.upsert(record(one, "a", "192.0.2.1"));
    registry.remove("c");
    await world.calm();
    expect(world.events).toHaveLength(1);
    expect(world.aggregate.catalog()).toBe(before);
  });

  it("is nothing where only the source's own version changed, and nothing where a change was taken back", async () => {
    const { registry, world } = await worldWith(record(one, "a", "192.0.2.1"));
    const same = record(one, "a", "192.0.2.1");
    const provenance = { ...same.service.provenance, sourceVersion: "2" };
    registry.upsert({ ...same, service: { ...same.service, provenance } });
    await world.calm();
    registry.upsert(record(one, "b"));
    await settled();
    registry.upsert(record(one, "a", "192.0.2.7"));
    registry.upsert(same);
    await world.calm();
    expect(world.events.map((event) => event.type)).toEqual(["snapshot", "delta"]);
  });

  it("touches one entry for a change of one service", async () => {
    const merged: string[] = [];
    const registry = new FakeRegistry("one");
    const merge: MergePolicy = (input) => {
      const { key } = input;
      merged.push(key);
      return mergeService(input).entry;
    };
    const world = await started({ registries: [registry], merge });
    registry.snapshot(...Array.from({ length: 50 }, (_, i) => record(one, `s${i}`, "192.0.2.1")));
    await world.calm();
    merged.length = 0;
    registry.upsert(record(one, "s7", "192.0.2.2"));
    await world.calm();
    expect(merged).toEqual([keyOf("s7")]);
    const event = world.events.at(-1);
    expect(event?.type === "delta" && event.delta.entries.upserted.map((entry) => entry.key)).toEqual([keyOf("s7")]);
  });

  it("changes only the version of the instances when only these change", async () => {
    const { registry, world } = await worldWith(record(one, "a", "192.0.2.1"));
    const before = world.aggregate.catalog().entries.get(keyOf("a"))?.versions;
    registry.upsert(record(one, "a", "192.0.2.2"));
    await world.calm();
    const after = world.aggregate.catalog().entries.get(keyOf("a"))?.versions;
    expect(after?.service).toBe(before?.service);
    expect(after?.instances).not.toBe(before?.instances);
  });

  it("keeps a service whose last instance left, and drops one that its registry removed", async () => {
    const { registry, world } = await worldWith(record(one, "a", "192.0.2.1"), record(one, "b", "192.0.2.1"));
    registry.upsert(record(one, "a"));
    registry.remove("b");
    await world.calm();
    expect(ipsOf(world.consumed, "a")).toEqual([]);
    expect(ipsOf(world.consumed, "b")).toBeUndefined();
  });

  it("carries workloads and objects along; the registry of higher precedence wins", async () => {
    const registries = [new FakeRegistry("one"), new FakeRegistry("two")] as const;
    const world = await started({ registries });
    for (const registry of [...registries].reverse()) {
      const from = { from: registry.id };
      registry.push({
        type: "snapshot",
        records: [],
        workloads: [workload(registry.id, "w", from)],
        objects: [configObject(registry.id, "o", from)],
      });
    }
    await world.calm();
    expect([...world.consumed.workloads.values()]).toMatchObject([{ labels: { from: "fake/one" } }]);
    expect([...world.consumed.objects.values()]).toMatchObject([{ spec: { from: "fake/one" } }]);
    registries[0].snapshot();
    await world.calm();
    expect([...world.consumed.workloads.values()]).toMatchObject([{ labels: { from: "fake/two" } }]);
    expect([...world.consumed.objects.values()]).toMatchObject([{ spec: { from: "fake/two" } }]);
  });

  it("goes on without the one service that cannot be merged", async () => {
    const registry = new FakeRegistry("one");
    const world = await started({
      registries: [registry],
      merge: (input) => {
        if (input.key === keyOf("bad") && input.records[0]?.candidates.length === 1) throw new Error("no merge");
        return mergeService(input).entry;
      },
    });
    registry.snapshot(record(one, "bad"), record(one, "good"));
    await world.calm();
    registry.upsert(record(one, "bad", "192.0.2.1"), record(one, "good", "192.0.2.1"));
    await world.calm();
    expect([ipsOf(world.consumed, "bad"), ipsOf(world.consumed, "good")]).toEqual([[], ["192.0.2.1"]]);
    expect(world.log.filter((line) => line.level === "error")).toMatchObject([{ event: "catalog-update-failed" }]);
  });

  it("selects workloads of any registry for a service, and follows both sides", async () => {
    const registries = [new FakeRegistry("one"), new FakeRegistry("two")] as const;
    const world = await started({ registries });
    const base = record(one, "a");
    const selecting = { ...base, service: { ...base.service, workloadSelector: { app: "a" } } };
    registries[0].snapshot(selecting);
    registries[1].push({ type: "snapshot", records: [], workloads: [workload(two, "w", { app: "a" })] });
    await world.calm();
    expect(ipsOf(world.consumed, "a")).toEqual(["192.0.2.9"]);
    expect(world.consumed.entries.get(keyOf("a"))?.registries).toEqual([one, two]);
    const say = (labels: Record<string, string>) =>
      registries[1].push({ type: "delta", workloads: { upserted: [workload(two, "w", labels)], removed: [] } });
    say({ app: "other" });
    await world.calm();
    expect(ipsOf(world.consumed, "a")).toEqual([]);
    say({ app: "a", more: "x" });
    await world.calm();
    expect(ipsOf(world.consumed, "a")).toEqual(["192.0.2.9"]);
    registries[0].upsert(base);
    await world.calm();
    expect(ipsOf(world.consumed, "a")).toEqual([]);
  });
});

describe("the sync gate", () => {
  it("holds back everything until the last registry has spoken", async () => {
    const registries = [new FakeRegistry("one"), new FakeRegistry("two")] as const;
    const world = await started({ registries });
    const synced = world.aggregate.synced(new AbortController().signal).then(() => "synced");
    registries[0].snapshot(record(one, "a"));
    await world.clock.advance(29_000);
    expect(world.events).toEqual([]);
    expect(world.aggregate.catalog().entries.size).toBe(0);
    registries[1].snapshot(record(two, "b"));
    await settled();
    expect(await synced).toBe("synced");
    expect([...world.consumed.entries.keys()]).toEqual([keyOf("a"), keyOf("b")]);
    expect(world.events).toHaveLength(1);
  });

  it("opens at the deadline of a registry that stays silent, and at the removal of one", async () => {
    const registries = ["one", "two", "three"].map((name) => new FakeRegistry(name));
    const world = await started({ registries, syncDeadlineMs: 5000 });
    registries[0]?.snapshot(record(one, "a"));
    await world.aggregate.removeRegistry(registryId("fake", "three"));
    await world.clock.advance(4999);
    expect(world.events).toEqual([]);
    await world.clock.advance(1);
    expect(ipsOf(world.consumed, "a")).toEqual([]);
    expect(world.log).toContainEqual({
      level: "warn",
      event: "registry-sync-deadline-passed",
      fields: { registry: two, deadlineMs: 5000 },
    });
  });

  it("is not held shut by a registry that is added later", async () => {
    const { world } = await worldWith(record(one, "a"));
    world.aggregate.addRegistry(new FakeRegistry("two"));
    await world.aggregate.synced(AbortSignal.timeout(1000));
    expect(world.aggregate.status()).toMatchObject([{ state: "SYNCED" }, { state: "INIT", services: 0 }]);
  });

  it("opens at once without registries, and publishes that there is nothing", async () => {
    const world = await started();
    expect(world.consumed.entries.size).toBe(0);
    expect(world.consumed.revision).toEqual(world.aggregate.catalog().revision);
  });

  it("lets a waiter go when its signal aborts", async () => {
    const world = await started({ registries: [new FakeRegistry("one")] });
    const reason = new Error("enough");
    const waiting = new AbortController();
    const synced = world.aggregate.synced(waiting.signal);
    waiting.abort(reason);
    await expect(synced).rejects.toBe(reason);
  });
});

describe("the run of an aggregate", () => {
  it("publishes a lone change at once and gathers a storm", async () => {
    const { registry, world } = await worldWith(record(one, "a"));
    registry.upsert(record(one, "a", "192.0.2.1"));
    await settled();
    expect(world.events).toHaveLength(2);
    for (let i = 2; i < 100; i++) {
      registry.upsert({ ...record(one, "a"), service: service(one, "a", { labels: { step: `${i}` } }) });
      await world.clock.advance(20);
    }
    // 98 changes in 1960 ms without a pause: one delta when the first second is over, one after the end.
    expect(world.events).toHaveLength(3);
    await world.calm();
    expect(world.events).toHaveLength(4);
    expect(world.consumed.entries.get(keyOf("a"))?.service.labels).toEqual({ step: "99" });
  });

  it.each<{ name: string; change: (i: number) => RegistryUpdate; longestMs: number }>([
    {
      name: "endpoints are published within 50 ms",
      change: (i) => records(record(one, `s${i % 10}`, `192.0.2.${i}`)),
      longestMs: 50,
    },
    {
      name: "services are gathered for a second",
      change: (i) =>
        records({
          ...record(one, `s${i % 10}`),
          service: service(one, `s${i % 10}`, { addresses: [`198.51.100.${i}`] }),
        }),
      longestMs: 1000,
    },
    {
      name: "names that stand in clusters are gathered for a second",
      change: (i) =>
        records({
          service: service(one, "dns", { resolution: "DNS" }),
          instances: [instance(one, `192.0.2.${i}`)],
        }),
      longestMs: 1000,
    },
    {
      name: "objects are gathered for a second",
      change: (i) => ({ type: "delta", objects: { upserted: [configObject(one, "rule", i)], removed: [] } }),
      longestMs: 1000,
    },
    {
      name: "objects go along with endpoints",
      change: (i) => ({
        ...(i % 4 === 0 && records(record(one, "s0", `192.0.2.${i}`))),
        type: "delta",
        objects: { upserted: [configObject(one, "rule", i)], removed: [] },
      }),
      longestMs: 80,
    },
  ])("publishes all of a steady hundred changes a second in time: $name", async ({ change, longestMs }) => {
    const registry = new FakeRegistry("one");
    const waited: number[] = [];
    const world = await started({ registries: [registry], onPublish: ({ debounceMs }) => waited.push(debounceMs) });
    registry.snapshot(...Array.from({ length: 10 }, (_, i) => record(one, `s${i}`)), {
      service: service(one, "dns", { resolution: "DNS" }),
      instances: [],
    });
    await world.calm();
    for (let i = 1; i <= 250; i++) {
      registry.push(change(i));
      await world.clock.advance(10);
    }
    await world.calm();
    expect(Math.max(...waited)).toBe(longestMs);
    expect(comparable(world.consumed)).toEqual(comparable(world.aggregate.catalog()));
  });

  it("gathers a storm for longer where publishing takes long", async () => {
    const registry = new FakeRegistry("one");
    const clock = new FakeClock();
    let busyMs = 0;
    let merges = 0;
    const waited: number[] = [];
    const world = await started({
      registries: [registry],
      clock: { now: () => clock.now() + busyMs, sleep: (ms, signal) => clock.sleep(ms, signal) },
      merge: (input) => {
        busyMs += 50;
        merges++;
        return mergeService(input).entry;
      },
      onPublish: ({ debounceMs }) => waited.push(debounceMs),
    });
    registry.snapshot(record(one, "a"));
    // A merge this long takes turns of the event loop, which cost no time here.
    while (world.events.length === 0) await settled();
    await clock.advance(2000);
    merges = 0;
    for (let i = 1; i <= 200; i++) {
      registry.upsert(record(one, "a", `192.0.2.${i}`));
      await clock.advance(10);
    }
    await clock.advance(2000);
    // A first one at once, and then one each 250 ms, of which a fifth is spent with the merge.
    expect(merges).toBe(1 + 10);
    // What comes while it is being published, which is for two turns of 10 ms here, has to wait for the end of that first.
    expect(Math.max(...waited)).toBe(250 + 20);
    while (ipsOf(world.consumed, "a")?.[0] !== "192.0.2.200") await clock.advance(300);
  });

  it("tells of each publication how long its oldest change waited", async () => {
    const registry = new FakeRegistry("one");
    const told: Publication[] = [];
    const onPublish = (publication: Publication) => told.push(publication);
    const world = await started({ registries: [registry], onPublish });
    registry.snapshot(record(one, "a"));
    await world.calm();
    // What there is at the start is no change.
    expect(told).toEqual([]);
    registry.upsert(record(one, "a", "192.0.2.1"));
    await settled();
    registry.upsert(record(one, "a", "192.0.2.2"));
    await world.clock.advance(20);
    registry.upsert(record(one, "a", "192.0.2.3"));
    await world.calm();
    expect(told.map(({ debounceMs }) => debounceMs)).toEqual([0, 50]);
    expect(told.map(({ revision }) => revision.sequence)).toEqual([1, 2]);
    expect(told[1]?.revision).toEqual(world.aggregate.catalog().revision);
    // A change that was taken back is not published, and its time does not count for the next one.
    registry.upsert(record(one, "a", "192.0.2.4"));
    registry.upsert(record(one, "a", "192.0.2.3"));
    await world.calm();
    registry.upsert(record(one, "a", "192.0.2.5"));
    await world.calm();
    expect(told.slice(2).map(({ debounceMs }) => debounceMs)).toEqual([0]);
  });

  it("leads again after it was fenced, though nothing changed meanwhile", async () => {
    const { world } = await worldWith(record(one, "a"));
    const { epoch } = world.aggregate.catalog().revision;
    const other = await world.bus.lead(
      () => ({ entries: new Map(), workloads: new Map(), objects: new Map() }),
      new AbortController().signal,
    );
    await world.calm();
    expect(other.over.aborted).toBe(true);
    expect(comparable(world.consumed)).toEqual(comparable(world.aggregate.catalog()));
    expect(world.consumed.entries.size).toBe(1);
    expect(world.consumed.revision).toEqual(world.aggregate.catalog().revision);
    expect([epoch, other.epoch]).not.toContain(world.consumed.revision.epoch);
    expect(world.log.filter(({ event }) => event === "bus-lead-lost")).toHaveLength(1);
  });

  it("leads again with a snapshot that has the change which the old writer did not take", async () => {
    const { registry, world } = await worldWith(record(one, "a"));
    await world.bus.lead(
      () => ({ entries: new Map(), workloads: new Map(), objects: new Map() }),
      new AbortController().signal,
    );
    registry.upsert(record(one, "a", "192.0.2.1"));
    await world.calm();
    expect(ipsOf(world.consumed, "a")).toEqual(["192.0.2.1"]);
    expect(world.consumed.revision).toEqual(world.aggregate.catalog().revision);
    expect(world.events.at(-1)?.type).toBe("snapshot");
  });

  it("leads again with all of a large change in whose publication it was fenced", async () => {
    const bus = createInProcessBus();
    const none = { entries: new Map(), workloads: new Map(), objects: new Map() };
    let fenced = 0;
    const disputed: Pick<EventBus, "lead"> = {
      lead: async (snapshot, signal) => {
        const writer = await bus.lead(snapshot, signal);
        return Object.create(writer, {
          over: { get: () => writer.over },
          publish: {
            value: async (delta: CatalogDelta) => {
              const revision = await writer.publish(delta);
              if (delta.entries.upserted.length >= 1000 && fenced++ === 0)
                await bus.lead(() => none, new AbortController().signal);
              return revision;
            },
          },
        }) as BusWriter;
      },
    };
    const registry = new FakeRegistry("one");
    const world = await started({ registries: [registry], bus: disputed }, bus);
    registry.snapshot(record(one, "a"));
    await world.calm();
    registry.snapshot(...Array.from({ length: 1200 }, (_, at) => record(one, `a${String(at)}`, "192.0.2.1")));
    await world.calm();
    // What is large is written down in a turn of the event loop of its own, after which the lead is asked for; its snapshot has one, too.
    await world.calm();
    await settled();
    expect(fenced).toBeGreaterThan(0);
    expect(world.consumed.entries.size).toBe(1200);
    expect(comparable(world.consumed)).toEqual(comparable(world.aggregate.catalog()));
    expect(world.consumed.revision).toEqual(world.aggregate.catalog().revision);
  });

  it("says once that the lead cannot be taken, and tries every five seconds at least", async () => {
    let attempts = 0;
    const broken: Pick<EventBus, "lead"> = {
      lead: () => {
        attempts++;
        return Promise.reject(new Error("down"));
      },
    };
    const world = await started({ bus: broken });
    await world.clock.advance(600_000);
    expect(attempts).toBeGreaterThan(120);
    expect(world.log.filter(({ event }) => event === "bus-lead-failed")).toHaveLength(1);
  });

  it("does not say that it lost the lead where it gave it up at the end of its run", async () => {
    const { world } = await worldWith(record(one, "a"));
    await world.stop();
    expect(world.log.filter(({ event }) => event === "bus-lead-lost")).toEqual([]);
  });

  it("publishes again what the bus did not take, without a change in between", async () => {
    const bus = createInProcessBus();
    let broken = false;
    const flaky: Pick<EventBus, "lead"> = {
      lead: async (snapshot, signal) => {
        const writer = await bus.lead(snapshot, signal);
        const publish: typeof writer.publish = (delta) =>
          broken ? Promise.reject(new Error("no connection")) : writer.publish(delta);
        return { epoch: writer.epoch, over: writer.over, publish };
      },
    };
    const registry = new FakeRegistry("one");
    const waited: number[] = [];
    const onPublish: AggregateOptions["onPublish"] = ({ debounceMs }) => void waited.push(debounceMs);
    const world = await started({ registries: [registry], bus: flaky, onPublish }, bus);
    registry.snapshot(record(one, "a"));
    await world.calm();
    broken = true;
    registry.upsert(record(one, "a", "192.0.2.1"));
    await settled();
    expect(ipsOf(world.aggregate.catalog(), "a")).toEqual([]);
    broken = false;
    await world.calm();
    expect(ipsOf(world.consumed, "a")).toEqual(["192.0.2.1"]);
    expect(world.consumed.revision).toEqual(world.aggregate.catalog().revision);
    expect(waited).toEqual([1000]);
  });

  it("keeps the content still from the snapshot it gave until the lead is decided", async () => {
    const bus = createInProcessBus();
    let decide = () => {};
    const decided = new Promise<void>((resolve) => (decide = resolve));
    const slow: Pick<EventBus, "lead"> = {
      lead: async (snapshot, signal) => {
        const content = snapshot();
        await decided;
        return bus.lead(() => content, signal);
      },
    };
    const registry = new FakeRegistry("one");
    const world = await started({ registries: [registry], bus: slow }, bus);
    registry.snapshot(record(one, "a"));
    await world.calm();
    registry.upsert(record(one, "a", "192.0.2.1"));
    await world.calm();
    expect(ipsOf(world.aggregate.catalog(), "a")).toEqual([]);
    decide();
    await world.calm();
    expect(world.events.map((event) => event.type)).toEqual(["snapshot", "delta"]);
    expect(comparable(world.consumed)).toEqual(comparable(world.aggregate.catalog()));
    expect(ipsOf(world.consumed, "a")).toEqual(["192.0.2.1"]);
  });

  it("keeps its own catalog up to date while another leads", async () => {
    const registry = new FakeRegistry("one");
    const never: Pick<EventBus, "lead"> = {
      lead: (_, signal) =>
        new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(signal.reason as Error))),
    };
    const world = await started({ registries: [registry], bus: never });
    registry.snapshot(record(one, "a"));
    await world.calm();
    registry.upsert(record(one, "a", "192.0.2.1"));
    await world.calm();
    expect(ipsOf(world.aggregate.catalog(), "a")).toEqual(["192.0.2.1"]);
    expect(world.aggregate.catalog().revision).toEqual({ epoch: "", sequence: 2 });
  });

  it("tries again to lead when the bus fails, and ends with an error when the bus is closed", async () => {
    const bus = createInProcessBus();
    let failures = 2;
    const flaky: Pick<EventBus, "lead"> = {
      lead: (snapshot, signal) => (failures-- > 0 ? Promise.reject(new Error("down")) : bus.lead(snapshot, signal)),
    };
    const world = await started({ bus: flaky }, bus);
    await world.clock.advance(10_000);
    expect(world.consumed.revision.sequence).toBe(0);
    await bus.close();
    const registry = new FakeRegistry("one");
    world.aggregate.addRegistry(registry);
    await settled();
    registry.snapshot(record(one, "a"));
    await world.clock.advance(60_000);
    await expect(world.run).rejects.toMatchObject({ code: "SBX_BUS_CLOSED" });
    expect(registry.running).toBe(0);
  });

  it("releases everything when its signal aborts, and can run again", async () => {
    const registry = new FakeRegistry("one");
    const world = new World({ registries: [registry] });
    opened.push(world);
    for (let run = 1; run <= 2; run++) {
      const end = new AbortController();
      const running = world.aggregate.run(end.signal);
      await expect(world.aggregate.run(end.signal)).rejects.toMatchObject({ code: "SBX_AGGREGATE_RUNNING" });
      await settled();
      registry.snapshot(record(one, "a", `192.0.2.${run}`));
      await world.calm();
      expect(world.bus.status()).toMatchObject({ led: true });
      end.abort();
      await running;
      expect([registry.running, world.clock.pending.length, world.bus.status().led]).toEqual([0, 0, false]);
      expect(ipsOf(world.aggregate.catalog(), "a")).toEqual([`192.0.2.${run}`]);
    }
    expect(registry.runs).toBe(2);
  });
});

describe("a registry of an aggregate", () => {
  it("is started again when its run ends, later each time, and keeps its shard", async () => {
    const { registry, world } = await worldWith(record(one, "a", "192.0.2.1"));
    registry.end(new Error("crash"));
    await settled();
    expect(world.aggregate.status()).toMatchObject([
      { id: one, state: "SYNCED", problem: "UNREACHABLE", lastError: { message: "crash" }, services: 1, restarts: 1 },
    ]);
    await world.clock.advance(999);
    expect(registry.runs).toBe(1);
    await world.clock.advance(1);
    expect(registry.runs).toBe(2);
    registry.end();
    await world.clock.advance(1999);
    expect(registry.runs).toBe(2);
    await world.clock.advance(1);
    expect(registry.runs).toBe(3);
    expect(world.aggregate.status()).toMatchObject([{ lastError: { code: "SBX_REGISTRY_ENDED" }, restarts: 2 }]);
    expect(ipsOf(world.consumed, "a")).toEqual(["192.0.2.1"]);
    registry.snapshot(record(one, "a", "192.0.2.2"));
    await world.clock.advance(60_000);
    expect(world.aggregate.status()[0]?.problem).toBeUndefined();
    expect(ipsOf(world.consumed, "a")).toEqual(["192.0.2.2"]);
    registry.end();
    await world.clock.advance(1000);
    expect(registry.runs).toBe(4);
  });

  it("is not heard any more after its run ended, or with a delta before its snapshot", async () => {
    const { registry, world } = await worldWith(record(one, "a"));
    const { sink } = registry;
    registry.end();
    await world.clock.advance(1000);
    sink.push({ type: "snapshot", records: [] });
    sink.alive();
    registry.upsert(record(one, "b"));
    await world.calm();
    expect([...world.consumed.entries.keys()]).toEqual([keyOf("a")]);
    expect(world.aggregate.status()).toMatchObject([{ problem: "PROTOCOL_ERROR" }]);
  });

  it("cannot bring in a malformed record; the others pass", async () => {
    const counted: string[] = [];
    const registry = new FakeRegistry("one");
    const metrics = () => ({ counter: (name: string) => void counted.push(name), histogram() {} });
    const world = await started({ registries: [registry], metrics });
    const base = record(one, "bad");
    registry.snapshot(
      { ...base, service: { ...base.service, hostname: "" } },
      record(one, "good"),
      record(two, "foreign"),
    );
    await world.calm();
    expect([...world.consumed.entries.keys()]).toEqual([keyOf("good")]);
    expect(counted).toEqual(["registry_records_rejected_total", "registry_records_rejected_total"]);
  });

  it("shows its problem until it is read again, and what it said stays", async () => {
    const { registry, world } = await worldWith(record(one, "a"));
    const lastCompleteRead = world.aggregate.status()[0]?.lastCompleteRead ?? 0;
    registry.sink.degraded("AUTH_FAILED", new Error("401"));
    expect(world.aggregate.status()).toMatchObject([
      { state: "SYNCED", problem: "AUTH_FAILED", lastError: { message: "401" }, services: 1, lastCompleteRead },
    ]);
    await world.clock.advance(5000);
    registry.sink.alive();
    const [status] = world.aggregate.status();
    expect(status?.problem).toBeUndefined();
    expect(status?.lastCompleteRead).toBe(world.clock.now());
    expect(world.events).toHaveLength(1);
  });

  it("takes its shard with it when it is removed", async () => {
    const registries = [new FakeRegistry("one"), new FakeRegistry("two")] as const;
    const world = await started({ registries });
    registries[0].snapshot(record(one, "a", "192.0.2.1"), record(one, "b"));
    registries[1].snapshot(record(two, "a", "192.0.2.2"));
    await world.calm();
    await world.aggregate.removeRegistry(one);
    await world.calm();
    expect(registries[0].running).toBe(0);
    expect([ipsOf(world.consumed, "a"), ipsOf(world.consumed, "b")]).toEqual([["192.0.2.2"], undefined]);
    expect(world.aggregate.status().map(({ id }) => id)).toEqual([two]);
    await expect(world.aggregate.removeRegistry(one)).rejects.toMatchObject({ code: "SBX_REGISTRY_UNKNOWN" });
  });

  it("keeps its shard while it is replaced, until the new one has spoken", async () => {
    const { registry, world } = await worldWith(record(one, "a", "192.0.2.1"), record(one, "b"));
    const next = new FakeRegistry("one");
    await world.aggregate.replaceRegistry(next);
    await world.calm();
    expect([registry.running, next.running]).toEqual([0, 1]);
    expect(world.events).toHaveLength(1);
    next.snapshot(record(one, "a", "192.0.2.1"));
    await world.calm();
    expect(world.events).toHaveLength(2);
    expect(ipsOf(world.consumed, "b")).toBeUndefined();
    await expect(world.aggregate.replaceRegistry(new FakeRegistry("x"))).rejects.toMatchObject({
      code: "SBX_REGISTRY_UNKNOWN",
    });
  });

  it("has an id of its own", async () => {
    const { world } = await worldWith();
    expect(() => world.aggregate.addRegistry(new FakeRegistry("one"))).toThrow(
      expect.objectContaining({ code: "SBX_REGISTRY_DUPLICATE", registry: one }) as Error,
    );
  });

  it("ranks by its precedence, not by when it was added", async () => {
    const { world } = await worldWith(record(one, "a", "192.0.2.1"));
    const late = new FakeRegistry("two");
    world.aggregate.addRegistry(late, { precedence: -1 });
    await settled();
    late.snapshot(record(two, "a", "192.0.2.1"));
    await world.calm();
    expect(world.consumed.entries.get(keyOf("a"))?.registries).toEqual([two, one]);
    expect(world.aggregate.status().map(({ id }) => id)).toEqual([two, one]);
  });
});

describe("the catalog of an aggregate", () => {
  it("is a copy that later changes do not touch", async () => {
    const { registry, world } = await worldWith(record(one, "a"));
    const before = world.aggregate.catalog();
    const content = comparable(before);
    registry.upsert(record(one, "b"));
    await world.calm();
    expect(comparable(before)).toEqual(content);
    expect(world.aggregate.catalog().entries.size).toBe(2);
  });
});

describe("a malformed record", () => {
  const bad = { ...record(one, "a"), instances: [instance(one, "192.0.2.9", { weight: -1 })] };

  it("in a snapshot leaves the service as it was, and the status counts it until it is said well", async () => {
    const { registry, world } = await worldWith(record(one, "a", "192.0.2.1"), record(one, "b"), record(one, "c"));
    registry.snapshot(bad, record(one, "b"));
    await world.calm();
    expect(ipsOf(world.consumed, "a")).toEqual(["192.0.2.1"]);
    expect(ipsOf(world.consumed, "c")).toBeUndefined();
    expect(world.aggregate.status()[0]).toMatchObject({ state: "SYNCED", services: 2, rejected: 1 });
    registry.snapshot(record(one, "a", "192.0.2.2"), record(one, "b"));
    await world.calm();
    expect(ipsOf(world.consumed, "a")).toEqual(["192.0.2.2"]);
    expect(world.aggregate.status()[0]).not.toHaveProperty("rejected");
  });

  it("in the first snapshot of a replaced registry leaves what the old one said", async () => {
    const { world } = await worldWith(record(one, "a", "192.0.2.1"));
    const next = new FakeRegistry("one");
    await world.aggregate.replaceRegistry(next);
    next.snapshot(bad);
    await world.calm();
    expect(ipsOf(world.consumed, "a")).toEqual(["192.0.2.1"]);
  });

  it.each(["snapshot", "delta"] as const)(
    "that is only malformed in one instance loses only that in a %s",
    async (type) => {
      const { registry, world } = await worldWith(record(one, "a", "192.0.2.1"));
      const good = record(one, "a", "192.0.2.1", "192.0.2.2");
      const mixed = { ...good, instances: [...bad.instances, ...good.instances] };
      if (type === "snapshot") registry.snapshot(mixed);
      else registry.upsert(mixed);
      await world.calm();
      expect(ipsOf(world.consumed, "a")).toEqual(["192.0.2.1", "192.0.2.2"]);
      expect(world.aggregate.status()[0]).toMatchObject({ rejected: 1 });
    },
  );
});

describe("a registry that ignores its signal", () => {
  it.each(["replace", "remove", "stop"] as const)("is left behind after its time to end: %s", async (way) => {
    const deaf = new FakeRegistry("one");
    let end: () => void = () => undefined;
    deaf.run = () => new Promise((resolve) => (end = resolve));
    const world = await started({ registries: [deaf], syncDeadlineMs: 1, restart: { endMs: 3000 } });
    let done = false;
    const waiting = (
      way === "replace"
        ? world.aggregate.replaceRegistry(new FakeRegistry("one"))
        : way === "remove"
          ? world.aggregate.removeRegistry(deaf.id)
          : world.stop()
    ).then(() => (done = true));
    await settled();
    await world.clock.advance(2999);
    expect(done).toBe(false);
    await world.clock.advance(1);
    await waiting;
    expect(world.log).toContainEqual(expect.objectContaining({ event: "registry-did-not-end" }));
    end();
  });
});

describe("many registries", () => {
  it("run without Node.js taking their number for a leak", async () => {
    const warnings: string[] = [];
    const warned = ({ name }: Error): void => void warnings.push(name);
    process.on("warning", warned);
    try {
      const registries = Array.from({ length: 12 }, (_, at) => new FakeRegistry(`many-${at}`));
      const world = await started({ registries });
      for (const registry of registries) registry.snapshot();
      await world.calm();
      expect(world.aggregate.status().map(({ state }) => state)).toEqual(registries.map(() => "SYNCED"));
      expect(warnings).toEqual([]);
    } finally {
      process.off("warning", warned);
    }
  });
});

describe("a merge that fails", () => {
  it("is tried again with the next change, told once and counted in the status", async () => {
    let broken = true;
    const registry = new FakeRegistry("one");
    const merge: MergePolicy = (input) => {
      const { key } = input;
      if (broken && key === keyOf("a")) throw new Error("no");
      return mergeService(input).entry;
    };
    const world = await started({ registries: [registry], merge });
    registry.snapshot(record(one, "a", "192.0.2.1"), record(one, "b"));
    await world.calm();
    registry.upsert(record(one, "b", "192.0.2.2"));
    await world.calm();
    expect(ipsOf(world.consumed, "a")).toBeUndefined();
    expect(world.aggregate.status()[0]).toMatchObject({ unmerged: 1 });
    expect(world.log.filter(({ event }) => event === "catalog-update-failed")).toHaveLength(1);
    broken = false;
    registry.upsert(record(one, "b", "192.0.2.3"));
    await world.calm();
    expect(ipsOf(world.consumed, "a")).toEqual(["192.0.2.1"]);
    expect(world.aggregate.status()[0]).not.toHaveProperty("unmerged");
  });
});
