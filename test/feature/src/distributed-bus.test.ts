import { createAggregate } from "@signalbox/aggregate";
import type { AggregateController } from "@signalbox/aggregate";
import { createLogBus, foldEvent } from "@signalbox/event-bus";
import type { LogBus } from "@signalbox/event-bus";
import { MemoryEngine, MemoryServer } from "@signalbox/event-bus/conformance";
import { byCodeUnit, serviceKey, type Catalog, type ServiceRecord } from "@signalbox/model";
import { noMetrics, silentLogger } from "@signalbox/registry";
import { FakeClock, MemoryRegistry, MemorySource, serviceRecord } from "@signalbox/registry/conformance";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

const service = (number: number, generation: number): ServiceRecord =>
  serviceRecord({
    hostname: `service-${number}.test`,
    namespace: "test",
    ports: [80],
    instances: [`10.0.${generation >> 8}.${generation & 255}`],
  });

const keyOf = (number: number) => serviceKey(service(number, 0).service);

/** An aggregator: a process that reads one source and wants to lead. */
interface Aggregator {
  readonly source: MemorySource;
  readonly aggregate: AggregateController;
  readonly bus: LogBus;
  readonly log: string[];
  stop(): Promise<void>;
}

/** A publisher: a process that follows the catalog. */
interface Publisher {
  readonly bus: LogBus;
  readonly events: string[];
  catalog: Catalog | undefined;
  stop(): Promise<void>;
}

let clock: FakeClock;
let server: MemoryServer;
let stops: (() => Promise<void>)[];

beforeEach(() => {
  clock = new FakeClock();
  server = new MemoryServer(clock);
  // As of a real engine: nothing of this test is compressed or cut.
  server.maxFrameBytes = 1024 * 1024;
  stops = [];
});

afterEach(async () => {
  server.down = false;
  for (const stop of stops) await stop();
  expect(clock.pending).toEqual([]);
  expect(server.waiting).toBe(0);
});

function aggregator(services: number): Aggregator {
  const log: string[] = [];
  const line = (event: string) => void log.push(event);
  const logger = { ...silentLogger, info: line, warn: line, error: line };
  const source = new MemorySource();
  for (let number = 0; number < services; number++) source.set(service(number, 0));
  const registry = new MemoryRegistry(source, {
    name: "test",
    logger: silentLogger,
    clock,
    metrics: noMetrics,
    baseDir: ".",
  });
  const bus = createLogBus(new MemoryEngine(server), { clock, logger, limits: { partBytes: 2000 } });
  const aggregate = createAggregate({ bus, registries: [registry], clock, logger });
  const end = new AbortController();
  const run = aggregate.run(end.signal);
  const stop = async () => {
    end.abort();
    await run;
    await bus.close();
  };
  stops.push(stop);
  return { source, aggregate, bus, log, stop };
}

function publisher(): Publisher {
  const bus = createLogBus(new MemoryEngine(server), { clock });
  const end = new AbortController();
  const publisher: Publisher = {
    bus,
    events: [],
    catalog: undefined,
    async stop() {
      end.abort();
      await run;
      await bus.close();
    },
  };
  const follow = async () => {
    for await (const event of bus.subscribe("test", end.signal)) {
      publisher.events.push(event.type);
      publisher.catalog = foldEvent(publisher.catalog, event);
    }
  };
  const run = follow();
  stops.push(() => publisher.stop());
  return publisher;
}

/** Lets time pass, in which calls of the engine take less than a tenth of a second. */
async function pass(ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += 100) {
    await clock.advance(100);
    for (let turn = 0; turn < 8; turn++) await new Promise<void>((resolve) => setImmediate(resolve));
  }
}

const comparable = ({ entries, objects, workloads }: Catalog) =>
  [entries, workloads, objects].map((map) => [...map].sort(([a], [b]) => byCodeUnit(a, b)));

function expectSame(publisher: Publisher, { aggregate }: Aggregator): void {
  const catalog = aggregate.catalog();
  expect(publisher.catalog?.revision).toEqual(catalog.revision);
  expect(publisher.catalog && comparable(publisher.catalog)).toEqual(comparable(catalog));
}

describe("the catalog between processes", () => {
  it("is one snapshot after the engine was down for ten minutes, in which nothing piled up", async () => {
    const one = aggregator(50);
    const reader = publisher();
    await pass(3000);
    expectSame(reader, one);
    const before = reader.catalog;
    const events = reader.events.length;
    const claims = server.claims;
    server.down = true;
    let pending = 0;
    for (let second = 1; second <= 600; second++) {
      for (let number = 0; number < 50; number += 5) one.source.set(service(number, second));
      if (second === 300) one.source.remove(keyOf(7));
      await pass(1000);
      pending = Math.max(pending, clock.pending.length);
      // What discovery says is known at once, also while nobody can be told.
      const entry = one.aggregate.catalog().entries.get(keyOf(5));
      expect(entry?.instances[0]?.addresses[0]).toMatchObject({ ip: `10.0.${second >> 8}.${second & 255}` });
    }
    expect(reader.catalog).toBe(before);
    expect(one.bus.status()).toMatchObject({ led: false, error: "the engine is down" });
    expect(reader.bus.status()).toMatchObject({ follower: "unreachable", error: "the engine is down" });
    // A handful of waits, whatever the time.
    expect(pending).toBeLessThan(12);
    expect(one.log.filter((line) => line.startsWith("bus-")).length).toBeLessThan(8);
    server.down = false;
    await pass(10_000);
    expectSame(reader, one);
    expect(reader.catalog?.entries.size).toBe(49);
    expect(reader.events.slice(events)).toEqual(["snapshot"]);
    expect(server.claims).toBe(claims + 1);
    expect(one.bus.status().error).toBeUndefined();
  }, 60_000);

  it("comes from a standby within ten seconds, which knew all along what is true", async () => {
    const first = aggregator(20);
    await pass(2000);
    const standby = aggregator(20);
    const reader = publisher();
    for (let minute = 1; minute <= 60; minute++) {
      for (const { source } of [first, standby]) source.set(service(minute % 20, minute));
      await pass(60_000);
    }
    await standby.aggregate.synced(AbortSignal.timeout(1000));
    expect(standby.aggregate.status()[0]?.state).toBe("SYNCED");
    expect(comparable(standby.aggregate.catalog())).toEqual(comparable(first.aggregate.catalog()));
    expect(standby.aggregate.catalog().revision.epoch).toBe("");
    expect([first.bus.status().led, standby.bus.status().led]).toEqual([true, false]);
    expect(standby.log.filter((line) => line.startsWith("bus-"))).toEqual([]);
    expectSame(reader, first);
    // The first one hangs: it neither renews its lease nor gives it back.
    server.fault = (_, engine) => (engine === 0 ? "hung" : undefined);
    standby.source.set(service(3, 1000));
    await pass(10_000);
    expect(standby.bus.status().led).toBe(true);
    expectSame(reader, standby);
    server.fault = () => undefined;
  }, 120_000);

  it("is there again within ten seconds after the engine lost all data, though nothing changes", async () => {
    const one = aggregator(20);
    const reader = publisher();
    await pass(2000);
    const before = reader.catalog;
    server.wipe();
    expect(reader.catalog).toBe(before);
    await pass(10_000);
    expectSame(reader, one);
    const late = publisher();
    await pass(3000);
    expectSame(late, one);
    expect(late.events).toEqual(["snapshot"]);
  });
});
