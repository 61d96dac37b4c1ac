import { randomUUID } from "node:crypto";
import { createRedisBus, createRedisEngine } from "@signalbox/event-bus/redis";
import type { RedisBusOptions } from "@signalbox/event-bus/redis";
import { startLink, startRedis, waitFor } from "@signalbox/test-servers";
import type { Link, RunningRedis } from "@signalbox/test-servers";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { Discovery, entryOf, Follower } from "./bus-parties.ts";
import { RedisProxy } from "./redis-proxy.ts";

const cleanups: (() => Promise<unknown>)[] = [];
const entries = ["a", "b", "c"].map((name) => entryOf(name, 0));
const signal = (): AbortSignal => AbortSignal.timeout(10_000);
let redis: RunningRedis;
let name: string;

beforeEach(() => {
  name = randomUUID();
});

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

function options(further: Partial<RedisBusOptions> = {}): RedisBusOptions {
  return { name, url: redis.url, ...further };
}

function engine(url = redis.url) {
  const made = createRedisEngine({ name, url });
  cleanups.push(() => made.close());
  return made;
}

async function discovery(further: Partial<RedisBusOptions> = {}): Promise<Discovery> {
  const made = new Discovery(createRedisBus(options(further)), entries);
  cleanups.push(() => made.close());
  await made.lead();
  return made;
}

function follower(further: Partial<RedisBusOptions> = {}): Follower {
  const made = new Follower(createRedisBus(options(further)));
  cleanups.push(() => made.close());
  return made;
}

/** A network to the server that can be broken, and its address. */
async function link(): Promise<Link & { readonly url: string }> {
  const made = await startLink(Number(new URL(redis.url).port));
  cleanups.push(() => made.close());
  return Object.assign(made, { url: `redis://127.0.0.1:${made.port}` });
}

/** The key of the only log. */
async function logKey(): Promise<string> {
  const answer = await redis.command("ZRANGE", `{signalbox:${name}}:logs`, "0", "-1");
  const nonce = answer.split("\r\n").at(-1) ?? "";
  return `{signalbox:${name}}:log:${nonce}`;
}

function frames(count: number, bytes = 10): Uint8Array[] {
  return Array.from({ length: count }, (_, index) => Buffer.alloc(bytes, index));
}

describe("a catalog over a Redis with its data on disk", () => {
  beforeAll(async () => {
    redis = await startRedis({ own: true });
  });
  afterAll(() => redis.stop());

  it.each([
    ["all data are wiped", async () => redis.command("FLUSHALL")],
    ["the log is deleted", async () => redis.command("DEL", await logKey())],
    ["the log loses its beginning", async () => redis.command("XTRIM", await logKey(), "MAXLEN", "1")],
    ["the log loses all frames", async () => redis.command("XTRIM", await logKey(), "MAXLEN", "0")],
    ["the claim is deleted", async () => redis.command("DEL", `{signalbox:${name}}:claim`)],
    ["the head is deleted", async () => redis.command("DEL", `{signalbox:${name}}:head`)],
    ["the lease is deleted", async () => redis.command("DEL", `{signalbox:${name}}:lease`)],
  ])("comes back by itself when %s; followers keep what they have until then", async (what, harm) => {
    const writer = await discovery();
    const reader = follower();
    await reader.agrees(writer);
    const before = writer.revision.epoch;
    expect(await harm()).not.toMatch(/^-/);
    // Who only lost the claim learns of it when it writes.
    if (what === "the claim is deleted") await writer.say(entryOf("d", 1));
    else {
      await writer.leadAgain();
      await writer.say(entryOf("d", 1));
    }
    await reader.agrees(writer);
    await follower().agrees(writer);
    expect(writer.revision.epoch).not.toBe(before);
    expect(reader.sizes.every((size) => size >= entries.length)).toBe(true);
  });

  it("survives a crash of the server with all that was published", async () => {
    const writer = await discovery();
    const reader = follower();
    for (let generation = 1; generation <= 50; generation++) await writer.say(entryOf("a", generation));
    await redis.kill();
    await waitFor(() => reader.bus.status().follower === "unreachable", { what: "the follower to find out" });
    await redis.restart();
    await writer.say(entryOf("b", 1));
    await reader.agrees(writer);
    await follower().agrees(writer);
    expect(reader.sizes).toEqual([entries.length]);
  });

  it("goes on in the same epoch, without a snapshot, after a short restart", async () => {
    const writer = await discovery();
    const reader = follower();
    await reader.agrees(writer);
    const before = writer.revision.epoch;
    await redis.restart();
    await writer.say(entryOf("a", 1));
    await reader.agrees(writer);
    expect(writer.revision.epoch).toBe(before);
    expect(reader.snapshots).toBe(1);
  });

  it("finds out about a server that hangs, and goes on when it answers again", async () => {
    const writer = await discovery();
    const reader = follower();
    await reader.agrees(writer);
    redis.freeze();
    const frozen = performance.now();
    try {
      await waitFor(() => reader.bus.status().follower === "unreachable", { what: "the follower to find out" });
      await waitFor(() => !writer.bus.status().led, { what: "the writer to find out" });
      expect(performance.now() - frozen).toBeLessThan(8000);
      expect(reader.catalog?.entries.size).toBe(entries.length);
    } finally {
      redis.thaw();
    }
    await writer.say(entryOf("a", 1));
    await reader.agrees(writer);
  });

  it("can be closed at once while the server hangs, and leaves no socket and no timer", async () => {
    const held = (kind: string): number => process.getActiveResourcesInfo().filter((one) => one === kind).length;
    const before = { sockets: held("TCPSocketWrap"), timers: held("Timeout") };
    const writer = await discovery();
    const reader = follower();
    await reader.agrees(writer);
    expect(held("TCPSocketWrap")).toBeGreaterThan(before.sockets);
    redis.freeze();
    const started = performance.now();
    try {
      await Promise.all([writer.close(), reader.close()]);
      expect(performance.now() - started).toBeLessThan(3000);
      expect(held("TCPSocketWrap")).toBe(before.sockets);
      expect(held("Timeout")).toBeLessThanOrEqual(before.timers);
    } finally {
      redis.thaw();
    }
  });

  it("can be opened before the server is there", async () => {
    const [bus, reader] = [createRedisBus(options()), follower()];
    const writer = new Discovery(bus, entries);
    cleanups.push(() => writer.close());
    await redis.kill();
    const lead = writer.lead();
    await waitFor(() => bus.status().error !== undefined && reader.bus.status().error !== undefined, {
      what: "both to say that nothing is there",
    });
    expect(bus.status().error).toMatch(/^redis at 127\.0\.0\.1:\d+: connect ECONNREFUSED/);
    await redis.restart();
    await lead;
    await reader.agrees(writer);
  });

  it("is taken over within ten seconds when its writer is cut off, and the old writer stops", async () => {
    const way = await link();
    const first = await discovery({ url: way.url });
    const reader = follower();
    await reader.agrees(first);
    way.block();
    const started = performance.now();
    const second = await discovery();
    expect(performance.now() - started).toBeLessThan(10_000);
    await reader.agrees(second);
    await waitFor(() => !first.bus.status().led, { what: "the first one to find out" });
    way.up();
    await second.say(entryOf("a", 5));
    await reader.agrees(second);
    expect(first.bus.status().led).toBe(false);
  });

  it("refuses all that a zombie has in flight when another one claims", async () => {
    const way = await link();
    const [zombie, next] = [engine(way.url), engine()];
    const old = await zombie.claim(signal());
    await zombie.append(old, 0, frames(3), signal());
    way.block();
    const inFlight = Array.from({ length: 100 }, (_, index) => zombie.append(old, 3 + index, frames(1), signal()));
    const head = zombie.setHead({ claim: old, begin: 1 }, signal());
    const claim = await next.claim(signal());
    way.up();
    for (const result of await Promise.allSettled([...inFlight, head]))
      expect(result).toMatchObject({ status: "rejected", reason: { code: "SBX_LOG_FENCED" } });
    expect(await next.extent(old, signal())).toEqual({ first: 1, last: 3 });
    expect(await next.head(signal())).toBeUndefined();
    await next.append(claim, 0, frames(1), signal());
  });

  it("accepts a beginning of what two writers send at once, never a piece behind a gap", async () => {
    const [zombie, next] = [engine(), engine()];
    const old = await zombie.claim(signal());
    await zombie.append(old, 0, frames(1), signal());
    const inFlight: Promise<boolean>[] = [];
    let claim: Promise<unknown> = Promise.resolve();
    for (let after = 1; after <= 400; after++) {
      if (after === 50) claim = next.claim(signal());
      const append = zombie.append(old, after, frames(1), signal());
      inFlight.push(append.then(() => true).catch(() => false));
      if (after % 20 === 0) await inFlight.at(-20);
    }
    await claim;
    const accepted = await Promise.all(inFlight);
    const count = accepted.filter(Boolean).length;
    expect(accepted).toEqual([...Array<boolean>(count).fill(true), ...Array<boolean>(400 - count).fill(false)]);
    expect(count).toBeLessThan(400);
    expect(await next.extent(old, signal())).toEqual({ first: 1, last: 1 + count });
  });

  it("stores an append once when its answer is lost", async () => {
    const proxy = await RedisProxy.open(redis.url);
    cleanups.push(() => proxy.close());
    const writer = engine(proxy.url);
    const claim = await writer.claim(signal());
    await writer.append(claim, 0, frames(2), signal());
    proxy.loseAnswerTo((request) => request.includes("f7f7f7"));
    await writer.append(claim, 2, [Buffer.from("f7f7f7"), Buffer.from("second")], signal());
    expect(proxy.lost).toBe(true);
    expect(await writer.extent(claim, signal())).toEqual({ first: 1, last: 4 });
  });

  it("takes more in one append than goes into one call, in order", async () => {
    const writer = engine();
    const claim = await writer.claim(signal());
    const many = [...frames(2500), ...frames(20, 200_000)];
    await writer.append(claim, 0, many, signal());
    const read: { readonly position: number; readonly bytes: Uint8Array }[] = [];
    for await (const batch of writer.read(claim, 1, signal())) {
      read.push(...batch);
      if (read.length === many.length) break;
    }
    expect(read.map(({ position }) => position)).toEqual(many.map((_, index) => index + 1));
    expect(read.every(({ bytes }, index) => Buffer.compare(bytes, many[index] ?? Buffer.of()) === 0)).toBe(true);
  });

  it("tells a reader that its log is gone, or ends before what it read", async () => {
    const made = engine();
    const claim = await made.claim(signal());
    await made.append(claim, 0, frames(2), signal());
    const reading = made.read(claim, 5, signal())[Symbol.asyncIterator]();
    await expect(reading.next()).rejects.toMatchObject({ code: "SBX_LOG_GONE" });
    await made.claim(signal()).then((later) => made.removeEarlier(later, signal()));
    const gone = made.read(claim, 1, signal())[Symbol.asyncIterator]();
    await expect(gone.next()).rejects.toMatchObject({ code: "SBX_LOG_GONE" });
    expect(await made.extent(claim, signal())).toBeUndefined();
  });

  it("counts claims on where a clock was set back, and never anew where data were lost", async () => {
    const made = engine();
    const first = await made.claim(signal());
    const future = first.number + 1_000_000_000;
    await redis.command("HSET", `{signalbox:${name}}:claim`, "number", String(future));
    expect((await made.claim(signal())).number).toBe(future + 1);
    await redis.command("FLUSHALL");
    const later = (await made.claim(signal())).number;
    expect(later).toBeGreaterThan(first.number);
    expect(later).toBeLessThan(future);
  });

  it("splits what is larger than a frame may be", async () => {
    const writer = await discovery({ maxFrameBytes: 1000 });
    await writer.say(entryOf("large", 1, 50_000));
    await follower().agrees(writer);
    const made = engine();
    const head = await made.head(signal());
    if (head === undefined) throw new Error("there is no head");
    const extent = await made.extent(head.claim, signal());
    const sizes: number[] = [];
    for await (const batch of made.read(head.claim, head.begin, signal())) {
      sizes.push(...batch.map(({ bytes }) => bytes.length));
      if (sizes.length >= (extent?.last ?? 0) - head.begin + 1) break;
    }
    expect(Math.max(...sizes)).toBe(1000);
    expect(sizes.length).toBeGreaterThan(30);
  });
});

describe("a catalog over a Redis that keeps nothing", () => {
  beforeAll(async () => {
    redis = await startRedis({ own: true, args: ["--appendonly", "no"] });
  });
  afterAll(() => redis.stop());

  it("comes back by itself after a restart; followers keep what they have until then", async () => {
    const writer = await discovery();
    const reader = follower();
    await reader.agrees(writer);
    await redis.kill();
    await redis.restart();
    await writer.say(entryOf("d", 1));
    await reader.agrees(writer);
    await follower().agrees(writer);
    expect(reader.sizes).toEqual([entries.length, entries.length + 1]);
  });
});
