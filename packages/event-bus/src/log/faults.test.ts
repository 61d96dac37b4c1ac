import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { comparable, contentOf, deltaOf, upsert } from "../conformance/content.ts";
import { MemoryServer } from "../conformance/memory-engine.ts";
import type { EngineCall, EngineFault } from "../conformance/memory-engine.ts";
import { HandClock, settled } from "../testing/hand-clock.ts";
import { Following, Leading, Process } from "../testing/log-world.ts";
import { LogFencedError } from "./engine.ts";
import type { LogBusOptions } from "./log-bus.ts";

let clock: HandClock;
let server: MemoryServer;
let processes: Process[];
let leading: Leading[];

beforeEach(() => {
  clock = new HandClock();
  server = new MemoryServer(clock);
  processes = [];
  leading = [];
});

afterEach(async () => {
  server.fault = () => undefined;
  server.down = false;
  for (const process of processes) {
    process.stop.abort();
    await process.bus.close();
  }
  for (const one of leading) await one.done;
  // Nothing of any test may go on: no sleep, no call that waits.
  expect([clock.sleeping, server.waiting]).toEqual([0, 0]);
});

function start(options?: LogBusOptions): Process {
  const process = new Process(server, clock, options);
  processes.push(process);
  return process;
}

function lead(process: Process, ...names: readonly string[]): Leading {
  const one = new Leading(process, clock, contentOf(...names));
  leading.push(one);
  return one;
}

/** Lets calls fail, of all processes or of one. */
function fail(calls: readonly EngineCall[], fault: EngineFault | undefined, engine?: number): void {
  server.fault = (call, from) => (calls.includes(call) && (engine ?? from) === from ? fault : undefined);
}

function same(follower: Following, writer: Leading): void {
  expect(follower.catalog?.revision).toEqual(writer.revision);
  expect(comparable(follower.catalog ?? contentOf())).toEqual(comparable(writer.fold));
}

const readingCalls = ["head", "extent", "moved", "read"] as const;
const leadingCalls = ["acquire", "claim", "maxFrameBytes", "append", "setHead", "trim", "removeEarlier"] as const;

describe("a follower", () => {
  it.each(readingCalls.flatMap((call) => (["refused", "unanswered"] as const).map((fault) => ({ call, fault }))))(
    "keeps what it has while $call is $fault, says so, and has the exact catalog afterwards",
    async ({ call, fault }) => {
      const writer = lead(start(), "a", "b");
      const reader = start();
      const follower = new Following(reader);
      await clock.advance(1000);
      same(follower, writer);
      const before = follower.catalog;
      server.wipe();
      fail([call], fault, 1);
      await clock.advance(60_000);
      if (call !== "moved") expect(follower.catalog).toBe(before);
      expect(reader.bus.status()).toMatchObject({ error: `${call}: no answer` });
      expect(reader.log.filter((line) => line === "bus-engine-trouble").length).toBeLessThan(3);
      fail([], undefined);
      await writer.change(upsert("c", 1));
      await clock.advance(3000);
      same(follower, writer);
      expect(reader.bus.status().error).toBeUndefined();
    },
  );

  it("turns to a new head while it still loads an old one", async () => {
    const slow = start();
    const writer = lead(start(), "a");
    await clock.advance(1000);
    fail(["read"], "hung", 0);
    const follower = new Following(slow);
    await clock.advance(1000);
    expect(slow.bus.status().follower).toBe("loading");
    const next = lead(start(), "b", "c");
    server.depose();
    await clock.advance(5000);
    expect(next.writer).toBeDefined();
    fail([], undefined);
    await clock.advance(5000);
    same(follower, next);
    expect(writer.writer).toBeUndefined();
  });

  it("begins at the latest snapshot again where what it was about to read was let go of", async () => {
    const writer = lead(start({ limits: { compactAfterBytes: 0 } }), "a");
    const follower = new Following(start());
    await clock.advance(1000);
    fail(["read"], "refused", 1);
    for (let generation = 1; generation < 50; generation++) await writer.change(upsert("a", generation));
    await clock.advance(5000);
    fail([], undefined);
    await writer.change(upsert("b", 1));
    await clock.advance(5000);
    same(follower, writer);
  });

  it("keeps its world while the engine has none, and takes the next one", async () => {
    const first = start();
    const writer = lead(first, "a");
    const reader = start();
    const follower = new Following(reader);
    await clock.advance(1000);
    first.stop.abort();
    await writer.done;
    server.wipe();
    await clock.advance(600_000);
    expect(comparable(follower.catalog ?? contentOf())).toEqual(comparable(contentOf("a")));
    expect(reader.bus.status()).toMatchObject({ follower: "waiting" });
    const next = lead(start(), "b");
    await clock.advance(3000);
    same(follower, next);
  });

  it("does not follow an engine back to a catalog that was replaced", async () => {
    const writer = lead(start(), "a");
    const reader = start();
    const follower = new Following(reader);
    await clock.advance(1000);
    const { claim, head } = server;
    const logs = [...server.logs];
    server.depose();
    const next = lead(start(), "b");
    await clock.advance(5000);
    same(follower, next);
    // The engine lost what it did last, and nobody is there who could lead.
    fail(["acquire", "renew", "extent", "claim"], "hung", 0);
    const still = server.fault;
    server.fault = (call, from) => (from === 2 ? "hung" : still(call, from));
    server.claim = claim;
    server.head = head;
    for (const [nonce, log] of logs) server.logs.set(nonce, log);
    server.wake();
    await clock.advance(60_000);
    expect(comparable(follower.catalog ?? contentOf())).toEqual(comparable(contentOf("b")));
    expect(reader.bus.status()).toMatchObject({ error: "the engine went back to an earlier catalog" });
    server.fault = () => undefined;
    await clock.advance(10_000);
    same(follower, writer.writer === undefined ? next : writer);
  });

  it("shows a catalog whose writer died in the middle of a message", async () => {
    const first = start();
    const writer = lead(first, "a");
    await clock.advance(1000);
    await writer.change(upsert("a".repeat(300), 1));
    await writer.change(upsert("b".repeat(300), 2));
    server.loseTail(1);
    fail(["renew", "append", "acquire", "extent"], "hung", 0);
    const follower = new Following(start());
    await clock.advance(3000);
    expect(follower.catalog?.revision.sequence).toBe(1);
  });

  it("stays away from what a newer release wrote, rarely looks again, and says so", async () => {
    const writer = lead(start(), "a");
    const reader = start();
    const follower = new Following(reader);
    await clock.advance(1000);
    const before = follower.catalog;
    const log = server.head && server.logs.get(server.head.claim.nonce);
    log?.frames.push(Uint8Array.from([2, 0, 1]));
    server.wake();
    let reads = 0;
    server.fault = (call, from) => {
      if (call === "read" && from === 1) reads++;
      return from === 0 ? "hung" : undefined;
    };
    await clock.advance(600_000);
    expect(follower.catalog).toBe(before);
    expect(reads).toBeLessThan(600_000 / 5000 + 10);
    expect(reader.bus.status()).toMatchObject({
      follower: "unreadable",
      error: expect.stringContaining("format 2") as string,
    });
    expect(reader.log.filter((line) => line === "bus-engine-trouble")).toHaveLength(1);
    fail([], undefined);
    await clock.advance(20_000);
    same(follower, writer);
  });

  it("leaves nothing behind when its only consumer goes, and begins again for the next", async () => {
    const writer = lead(start(), "a");
    const reader = start();
    await clock.advance(1000);
    for (let round = 0; round < 10; round++) {
      const one = new Following(reader);
      if (round % 2 === 0) await clock.advance(200);
      one.stop.abort();
      // The next one comes while the last one still lets go.
      const next = new Following(reader);
      await writer.change(upsert("a", round));
      await clock.advance(500);
      same(next, writer);
      next.stop.abort();
      await Promise.all([one.done, next.done]);
    }
    expect(reader.bus.status()).toMatchObject({ follower: "idle", consumers: [] });
    expect(server.waiting).toBe(0);
  });
});

describe("a writer", () => {
  it.each(
    leadingCalls.flatMap((call) =>
      (["refused", "unanswered", "late", "hung"] as const).map((fault) => ({ call, fault })),
    ),
  )("comes to lead though $call was $fault, and readers have its catalog", async ({ call, fault }) => {
    fail([call], fault);
    const process = start({ limits: { compactAfterBytes: 0 } });
    const writer = lead(process, "a", "b");
    const follower = new Following(start());
    await clock.advance(10_000);
    expect(process.bus.status().led).toBe(false);
    fail([], undefined);
    // What hangs ends with the lease; a lone engine call before it is ended by the engine's own deadline.
    if (call === "acquire" && fault === "hung") process.stop.abort();
    await clock.advance(10_000);
    if (call === "acquire" && fault === "hung") return;
    server.arrive();
    await writer.change(upsert("c", 1));
    await clock.advance(10_000);
    expect(process.bus.status().led).toBe(true);
    same(follower, writer);
  });

  it.each(["refused", "unanswered", "late", "hung"] as const)(
    "gives up its epoch where the answer to an append is %s, says why, and begins another with all that is true",
    async (fault) => {
      const process = start();
      const writer = lead(process, "a");
      const follower = new Following(start());
      await clock.advance(1000);
      const epoch = writer.revision?.epoch;
      fail(["append"], fault);
      const change = writer.change(upsert("b", 1));
      await clock.advance(10);
      fail([], undefined);
      await clock.advance(5000);
      await change;
      expect(writer.errors[0]).toMatchObject({ code: "SBX_BUS_FENCED", epoch });
      expect((writer.errors[0] as Error).cause).toBeInstanceOf(Error);
      server.arrive();
      await clock.advance(5000);
      expect(writer.revision?.epoch).not.toBe(epoch);
      same(follower, writer);
      expect(process.log.filter((line) => line === "bus-not-leading").length).toBeGreaterThan(0);
    },
  );

  it("names the later claim as the cause", async () => {
    const writer = lead(start(), "a");
    await clock.advance(1000);
    server.depose();
    lead(start(), "b");
    await clock.advance(600);
    await writer.change(upsert("c", 1));
    expect(writer.errors[0]).toMatchObject({ code: "SBX_BUS_FENCED", cause: expect.any(LogFencedError) as unknown });
  });

  it("learns without publishing that the engine lost its data, and writes all again", async () => {
    const writer = lead(start(), "a", "b");
    const follower = new Following(start());
    await clock.advance(1000);
    const loss = [
      () => server.wipe(),
      () => server.loseTail(1),
      () => server.loseBeginning(1),
      () => (server.head = undefined),
    ];
    for (const lose of loss) {
      const epoch = writer.revision?.epoch;
      lose();
      await clock.advance(4000);
      expect(writer.revision?.epoch).not.toBe(epoch);
      same(follower, writer);
    }
  });

  it("writes nothing after it slept through its lease, not even what waited", async () => {
    const writer = lead(start(), "a");
    await clock.advance(1000);
    const bytes = server.bytes;
    clock.jump(4000);
    await writer.change(upsert("b", 1));
    expect(writer.errors[0]).toMatchObject({ code: "SBX_BUS_FENCED" });
    expect(server.bytes).toBe(bytes);
  });

  it("does not fence the one that leads when it wakes up late with a lease that is over", async () => {
    const sleeper = start();
    let acquired = false;
    server.fault = (call, from) => {
      if (call === "acquire" && from === 0 && !acquired) {
        acquired = true;
        queueMicrotask(() => clock.jump(60_000));
      }
      return undefined;
    };
    lead(sleeper, "a");
    await settled();
    expect(acquired).toBe(true);
    expect(server.claims).toBe(0);
  });

  it("compacts while it publishes, and every reader has the exact catalog", async () => {
    const writer = lead(start({ limits: { compactAfterBytes: 0, partBytes: 1 } }), "a", "b", "c", "d");
    const early = new Following(start());
    await clock.advance(1000);
    const late: Following[] = [];
    for (let round = 0; round < 40; round++) {
      const changes = ["a", "b", "e"].map((name, index) =>
        writer.change(deltaOf([{ kind: "entries", name, generation: (round + index) % 3 === 0 ? "gone" : round }])),
      );
      if (round % 8 === 0) late.push(new Following(start()));
      await Promise.all(changes);
      await settled(round % 7);
    }
    await clock.advance(5000);
    for (const follower of [early, ...late]) same(follower, writer);
    expect(writer.errors).toEqual([]);
    expect(server.bytes).toBeLessThan(60_000);
  });

  it("may be asked to lead while it leads: the new epoch takes the place of the old one", async () => {
    const { bus } = start();
    const never = new AbortController().signal;
    const first = await bus.lead(() => contentOf("a"), never);
    const second = await bus.lead(() => contentOf("b"), never);
    expect([first.over.aborted, second.over.aborted]).toEqual([true, false]);
    await expect(first.publish(upsert("c", 1))).rejects.toMatchObject({ code: "SBX_BUS_FENCED" });
    await second.publish(upsert("c", 1));
  });
});

describe("giving up the lead", () => {
  const phases: readonly (EngineCall | undefined)[] = [...leadingCalls, undefined];

  it.each(phases)("lets a standby lead at once, also while %s is under way", async (call) => {
    if (call !== undefined) fail([call], "hung", 0);
    const process = start();
    const led = process.bus.lead(() => contentOf("a", "b"), process.stop.signal);
    led.catch(() => undefined);
    await settled(30);
    const standby = lead(start(), "b");
    await settled();
    process.stop.abort(new Error("enough"));
    if (call !== undefined) await expect(led).rejects.toThrow("enough");
    else expect((await led).over.aborted).toBe(true);
    await clock.advance(500);
    expect(standby.writer).toBeDefined();
  });

  it.each(phases)("by closing the bus ends all, also while %s is under way", async (call) => {
    if (call !== undefined) fail([call], "hung", 0);
    const { bus } = start();
    const led = bus.lead(() => contentOf("a", "b"), new AbortController().signal);
    led.catch(() => undefined);
    await settled(30);
    const standby = lead(start(), "b");
    await settled();
    await bus.close();
    if (call !== undefined) await expect(led).rejects.toMatchObject({ code: "SBX_BUS_CLOSED" });
    else await expect((await led).publish(upsert("c", 1))).rejects.toMatchObject({ code: "SBX_BUS_FENCED" });
    await clock.advance(500);
    expect(standby.writer).toBeDefined();
  });

  it("does not keep a second wait on the same bus", async () => {
    lead(start(), "a");
    await clock.advance(1000);
    const { bus } = start();
    const [one, two] = [new AbortController(), new AbortController()];
    const first = bus.lead(() => contentOf("b"), one.signal);
    const second = bus.lead(() => contentOf("c"), two.signal);
    for (const led of [first, second]) led.catch(() => undefined);
    await clock.advance(5000);
    two.abort(new Error("second"));
    await expect(second).rejects.toThrow("second");
    one.abort(new Error("first"));
    await expect(first).rejects.toThrow("first");
  });
});

describe("two that want to lead", () => {
  it("lead one after the other, within seconds, when the first one dies", async () => {
    const first = lead(start(), "a");
    const second = lead(start(), "b");
    const follower = new Following(start());
    await clock.advance(60_000);
    expect([first.writer === undefined, second.writer === undefined]).toEqual([false, true]);
    same(follower, first);
    // A dead process says nothing.
    fail(["acquire", "renew", "append", "extent", "head", "release", "claim"], "hung", 0);
    await clock.advance(5000);
    expect(second.writer).toBeDefined();
    same(follower, second);
  });

  it("never mix: what a zombie sent comes to nothing after a later claim", async () => {
    const first = lead(start(), "a");
    const follower = new Following(start());
    await clock.advance(1000);
    fail(["append", "setHead", "trim", "removeEarlier"], "late", 0);
    await first.change(upsert("zombie", 1));
    server.depose();
    const second = lead(start(), "b");
    await clock.advance(600);
    expect(second.writer).toBeDefined();
    expect(server.arrive()).toBe(0);
    await second.change(upsert("c", 1));
    await clock.advance(100);
    same(follower, second);
  });

  it("shut each other out from the claim on, before the later one has written anything", async () => {
    const first = lead(start(), "a");
    await clock.advance(1000);
    server.fault = (call, engine) => (call !== "append" ? undefined : engine === 0 ? "late" : "hung");
    await first.change(upsert("zombie", 1));
    server.depose();
    lead(start(), "b");
    await clock.advance(600);
    expect(server.claims).toBe(2);
    expect(server.head?.claim.number).toBe(1);
    expect(server.arrive()).toBe(0);
  });
});

describe("memory", () => {
  it("stays bounded with a consumer that is stuck", async () => {
    const writer = lead(start(), "a");
    const reader = start({ slack: 10 });
    const iterator = reader.bus.subscribe("stuck", reader.stop.signal)[Symbol.asyncIterator]();
    const first = iterator.next();
    await clock.advance(1000);
    await first;
    for (let round = 0; round < 300; round++) await writer.change(upsert(`name-${round % 100}`, round));
    await writer.change(
      deltaOf(Array.from({ length: 100 }, (_, i) => ({ kind: "entries", name: `name-${i}`, generation: "gone" }))),
    );
    await clock.advance(1000);
    // A snapshot waits, because more keys changed than the catalog has.
    expect(reader.bus.status().consumers).toEqual([{ name: "stuck", pending: 1 }]);
  });
});
