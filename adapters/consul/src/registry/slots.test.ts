import { FakeClock } from "@signalbox/registry/conformance";
import { describe, expect, it } from "vitest";
import { Slots } from "./slots.ts";
import { Pace, Waiters } from "./waiting.ts";

/** A read that ends when the test says so. */
function openRead(log: string[], name: string) {
  let end = (): void => undefined;
  const ended = new Promise<void>((resolve) => {
    end = resolve;
  });
  const read = async (): Promise<void> => {
    log.push(name);
    await ended;
  };
  return { read, end: () => end() };
}

function tick(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

const live = new AbortController().signal;
const waits = { atOnce: false, signal: live };
const atOnce = { atOnce: true, signal: live };

describe("Slots", () => {
  it("runs so many at once and the others in the order in which they came", async () => {
    const slots = new Slots({ concurrency: 2, waitMs: 1000, rotationMs: 1000 });
    const log: string[] = [];
    const reads = ["a", "b", "c", "d"].map((name) => openRead(log, name));
    const runs = reads.map(({ read }) => slots.run(read, waits));
    await tick();
    expect(log).toEqual(["a", "b"]);
    reads[1]?.end();
    await tick();
    expect(log).toEqual(["a", "b", "c"]);
    expect(slots.taken).toBe(2);
    for (const { end } of reads) end();
    await Promise.all(runs);
    expect(log).toEqual(["a", "b", "c", "d"]);
    expect(slots.taken).toBe(0);
  });

  it("gives the slot of a read that failed, or that was given up while it waited, to the next", async () => {
    const slots = new Slots({ concurrency: 1, waitMs: 1000, rotationMs: 1000 });
    const log: string[] = [];
    const first = openRead(log, "first");
    const failing = slots.run(async () => {
      await first.read();
      throw new Error("failed");
    }, waits);
    const leaving = new AbortController();
    const left = slots.run(() => Promise.resolve(), { atOnce: false, signal: leaving.signal });
    const last = slots.run(() => Promise.resolve("done"), waits);
    leaving.abort(new Error("gave up"));
    await expect(left).rejects.toThrow("gave up");
    first.end();
    await expect(failing).rejects.toThrow("failed");
    await expect(last).resolves.toBe("done");
    expect(slots.taken).toBe(0);
  });

  it("runs few of those that are answered at once, and what waits for news after those that came before it", async () => {
    const slots = new Slots({ concurrency: 1000, waitMs: 1000, rotationMs: 1000 });
    const log: string[] = [];
    const reads = Array.from({ length: 40 }, (_, index) => openRead(log, `read ${index}`));
    const runs = reads.map(({ read }) => slots.run(read, atOnce));
    const news = slots.run(() => Promise.resolve(log.push("news")), waits);
    await tick();
    expect(log).toHaveLength(32);
    for (const { end } of reads.slice(0, 8)) end();
    await tick();
    expect(log).toEqual([...reads.map((_, index) => `read ${index}`), "news"]);
    for (const { end } of reads) end();
    await Promise.all([...runs, news]);
    expect(slots.taken).toBe(0);
  });

  it("starts all for whom there is room, though not all in one go", async () => {
    const slots = new Slots({ concurrency: 1000, waitMs: 1000, rotationMs: 1000 });
    const log: string[] = [];
    const reads = Array.from({ length: 33 }, (_, index) => openRead([], `read ${index}`));
    const runs = reads.map(({ read }) => slots.run(read, atOnce));
    const news = Array.from({ length: 100 }, (_, index) => openRead(log, `news ${index}`));
    const waiting = news.map(({ read }) => slots.run(read, waits));
    for (const { end } of reads) end();
    await Promise.all(runs);
    expect(log.length).toBeLessThan(100);
    for (let ticks = 0; ticks < 10; ticks++) await tick();
    expect(log).toEqual(news.map((_, index) => `news ${index}`));
    for (const { end } of news) end();
    await Promise.all(waiting);
    expect(slots.taken).toBe(0);
  });

  it("goes on with the others when the one at the head of the queue gives up", async () => {
    const slots = new Slots({ concurrency: 1000, waitMs: 1000, rotationMs: 1000 });
    const reads = Array.from({ length: 32 }, (_, index) => openRead([], `read ${index}`));
    const runs = reads.map(({ read }) => slots.run(read, atOnce));
    const leaving = new AbortController();
    const left = slots.run(() => Promise.resolve(), { atOnce: true, signal: leaving.signal });
    const news = slots.run(() => Promise.resolve("news"), waits);
    leaving.abort(new Error("gave up"));
    await expect(left).rejects.toThrow("gave up");
    await expect(news).resolves.toBe("news");
    for (const { end } of reads) end();
    await Promise.all(runs);
  });

  it("shortens the turns with the members, down to a quarter of a second", () => {
    const slots = new Slots({ concurrency: 10, waitMs: 30_000, rotationMs: 30_000 });
    const join = (count: number) => Array.from({ length: count }, () => slots.join());
    join(10);
    expect(slots.turnMs).toBe(30_000);
    const leave = join(10);
    expect(slots.turnMs).toBe(15_000);
    for (const go of leave) go();
    expect(slots.turnMs).toBe(30_000);
    join(100_000);
    expect(slots.turnMs).toBe(250);
  });
});

describe("Waiters", () => {
  it("wakes who waits and forgets who gave up", async () => {
    const waiters = new Waiters();
    const leaving = new AbortController();
    const left = waiters.wait(leaving.signal);
    const stays = waiters.wait(live);
    leaving.abort(new Error("gave up"));
    await expect(left).rejects.toThrow("gave up");
    waiters.wake();
    await stays;
  });
});

describe("Pace", () => {
  it("lets a burst pass and then so many in a second", async () => {
    const clock = new FakeClock();
    const pace = new Pace(clock, { burst: 3, perSecond: 10 });
    const begun: number[] = [];
    const start = clock.now();
    const all = (async () => {
      for (let count = 0; count < 6; count++) {
        await pace.turn(live);
        begun.push(clock.now() - start);
      }
    })();
    await clock.advance(1000);
    await all;
    expect(begun).toEqual([0, 0, 0, 100, 200, 300]);
  });

  it("saves up no more than a burst", async () => {
    const clock = new FakeClock();
    const pace = new Pace(clock, { burst: 2, perSecond: 10 });
    await clock.advance(60_000);
    await pace.turn(live);
    await pace.turn(live);
    const third = pace.turn(live);
    await tick();
    expect(clock.pending).toHaveLength(1);
    await clock.advance(100);
    await third;
  });
});
