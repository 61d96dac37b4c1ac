import { silentLogger, SourceError } from "@signalbox/registry";
import { FakeClock } from "@signalbox/registry/conformance";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ApiClient, problemOf } from "../client.ts";
import { objectName } from "../convert/objects.ts";
import { reflect, type ReflectorTarget } from "./reflector.ts";
import { FakeApiServer, type Mood } from "./testing/fake-api-server.ts";

let server: FakeApiServer;
let clock: FakeClock;
let stop: AbortController;
let ended: Promise<void> = Promise.resolve();
let api: ApiClient;

beforeEach(async () => {
  server = await FakeApiServer.open();
  clock = new FakeClock();
  stop = new AbortController();
});

afterEach(async () => {
  stop.abort();
  await ended;
  await api.close();
  await server.shut();
});

/** What a reflector told, and what follows from it. */
class Mirror implements ReflectorTarget<unknown> {
  readonly items = new Map<string, unknown>();
  readonly told: string[] = [];
  readonly errors: Error[] = [];
  readonly counts = new Map<string, number>();

  replace(items: ReadonlyMap<string, unknown>): void {
    this.told.push(`replace ${[...items.keys()].join(" ")}`);
    this.items.clear();
    for (const [key, item] of items) this.items.set(key, item);
  }

  put(key: string, item: unknown): void {
    this.told.push(`put ${key}`);
    this.items.set(key, item);
  }

  remove(key: string): void {
    this.told.push(`remove ${key}`);
    this.items.delete(key);
  }

  fresh(): void {}

  failed(error: Error): void {
    this.errors.push(error);
  }

  listed(): void {}

  count(event: string): void {
    this.counts.set(event, (this.counts.get(event) ?? 0) + 1);
  }
}

function start(
  options: { readonly pageSize?: number; readonly watchdogMs?: number; readonly random?: () => number } = {},
) {
  const mirror = new Mirror();
  api = new ApiClient({
    connect: () => Promise.resolve({ url: server.url }),
    connections: 2,
    requestMs: 1000,
    logger: silentLogger,
  });
  ended = reflect({
    api,
    path: "/api/v1/pods",
    read: (raw) => ({ key: objectName(raw), item: raw }),
    target: mirror,
    pageSize: 500,
    requestMs: 1000,
    watchdogMs: 60_000,
    watchSeconds: 240,
    clock,
    signal: stop.signal,
    random: () => 0.5,
    ...options,
  });
  return mirror;
}

/** Waits for a state, while the clock moves only if told so. */
async function until(predicate: () => boolean, options: { readonly advance?: boolean } = {}): Promise<void> {
  const end = performance.now() + 10_000;
  while (!predicate()) {
    if (performance.now() > end) throw new Error("the state did not come");
    await new Promise((resolve) => setTimeout(resolve, 2));
    if (options.advance === true) await clock.advanceToNext();
  }
}

const pod = (name: string, content: object = {}) => ({ metadata: { name, namespace: "a" }, ...content });
const queries = () => server.requests.map((request) => new URL(request.split(" ")[1] ?? "", server.url).searchParams);

describe("a reflector", () => {
  it("lists page by page, and then watches from the version of the list, with bookmarks and a random end", async () => {
    for (let count = 0; count < 7; count++) server.put("pods", pod(`pod-${count}`));
    const mirror = start({ pageSize: 3 });
    await until(() => server.watches === 1);
    expect(mirror.told).toEqual(["replace a/pod-0 a/pod-1 a/pod-2 a/pod-3 a/pod-4 a/pod-5 a/pod-6"]);
    const [first, second, third, watch] = queries();
    expect([first, second, third].map((query) => query?.get("limit"))).toEqual(["3", "3", "3"]);
    expect(first?.has("continue")).toBe(false);
    expect(third?.get("continue")).not.toBe(second?.get("continue"));
    expect(Object.fromEntries(watch ?? [])).toEqual({
      watch: "1",
      allowWatchBookmarks: "true",
      resourceVersion: "107",
      timeoutSeconds: "360",
    });
  });

  it.each([
    { random: 0, seconds: "240" },
    { random: 0.999999, seconds: "480" },
  ])("asks for watches of 240 to 480 seconds: $seconds", async ({ random, seconds }) => {
    start({ random: () => random });
    await until(() => server.watches === 1);
    expect(queries().at(-1)?.get("timeoutSeconds")).toBe(seconds);
  });

  it("passes on what the watch says", async () => {
    server.put("pods", pod("one"));
    const mirror = start();
    await until(() => server.watches === 1);
    server.put("pods", pod("two"));
    server.put("pods", pod("one", { changed: true }));
    server.delete("pods", "a/two");
    await until(() => mirror.told.length === 4);
    expect(mirror.told).toEqual(["replace a/one", "put a/two", "put a/one", "remove a/two"]);
    expect(mirror.items.get("a/one")).toMatchObject({ changed: true });
  });

  it("goes on after a watch that ended or was cut, from the last version, without a list and without a failure", async () => {
    const mirror = start();
    await until(() => server.watches === 1);
    for (const end of [() => server.endWatches(), () => server.cutWatches()]) {
      server.put("pods", pod("one", { at: mirror.told.length }));
      const { length } = mirror.told;
      await until(() => mirror.told.length > length - 1 && mirror.items.has("a/one"));
      end();
      server.put("pods", pod(`missed-${length}`));
      await until(() => mirror.items.has(`a/missed-${length}`), { advance: true });
    }
    expect(mirror.errors).toEqual([]);
    expect(mirror.told.filter((line) => line.startsWith("replace"))).toHaveLength(1);
  });

  it("takes versions from bookmarks", async () => {
    start();
    await until(() => server.watches === 1);
    server.put("services", { metadata: { name: "x", namespace: "a" } });
    server.bookmark();
    server.endWatches();
    await until(() => server.requests.length === 3, { advance: true });
    expect(queries().at(-1)?.get("resourceVersion")).toBe("101");
  });

  it("lists anew for a 410 inside a watch, and never tells an empty state between", async () => {
    server.put("pods", pod("stays"));
    server.put("pods", pod("goes"));
    const mirror = start();
    await until(() => server.watches === 1);
    server.silently(() => {
      server.delete("pods", "a/goes");
      server.put("pods", pod("comes"));
    });
    server.compact();
    server.endWatches();
    await until(() => mirror.items.has("a/comes"), { advance: true });
    expect(mirror.told).toEqual(["replace a/stays a/goes", "replace a/stays a/comes"]);
    expect(mirror.errors).toEqual([]);
    expect(mirror.counts.get("expired")).toBe(1);
    expect(mirror.counts.get("relists")).toBe(1);
  });

  it("lists soon when its version expired over an outage, however long that was", async () => {
    server.put("pods", pod("one"));
    const mirror = start();
    await until(() => server.watches === 1);
    server.mood = "FAILS";
    server.endWatches();
    await until(() => mirror.errors.length >= 9, { advance: true });
    expect(clock.asked.at(-1)).toBeGreaterThan(10_000);
    server.put("pods", pod("two"));
    server.compact();
    await server.mend();
    await until(() => mirror.counts.get("expired") === 1, { advance: true });
    await until(() => mirror.items.has("a/two"), { advance: true });
    expect(clock.asked.at(-1)).toBeLessThanOrEqual(500);
  });

  it("waits longer each time when its version expires again and again", async () => {
    const mirror = start();
    const expireAgain = async (times: number): Promise<void> => {
      await until(() => server.watches === 1, { advance: true });
      server.write('{"type":"ERROR","object":{"code":410,"reason":"Expired"}}\n');
      await until(() => mirror.counts.get("expired") === times);
      server.endWatches();
    };
    for (const times of [1, 2, 3, 4]) await expireAgain(times);
    await until(() => server.watches === 1, { advance: true });
    expect(clock.asked).toEqual([250, 500, 1000, 2000]);
  });

  it("begins a list anew whose token expired (HTTP 410)", async () => {
    for (let count = 0; count < 4; count++) server.put("pods", pod(`pod-${count}`));
    let pages = 0;
    const between: Pick<ApiClient, "get"> = {
      get: async (request) => {
        if (++pages === 2) server.compact();
        return api.get(request);
      },
    };
    const mirror = new Mirror();
    api = new ApiClient({
      connect: () => Promise.resolve({ url: server.url }),
      connections: 2,
      requestMs: 1000,
      logger: silentLogger,
    });
    const read = (raw: unknown) => ({ key: objectName(raw), item: raw });
    const timing = { pageSize: 2, requestMs: 1000, watchdogMs: 60_000, watchSeconds: 240 };
    ended = reflect({
      api: between,
      path: "/api/v1/pods",
      read,
      target: mirror,
      ...timing,
      clock,
      signal: stop.signal,
    });
    await until(() => server.watches === 1, { advance: true });
    expect(mirror.told).toEqual(["replace a/pod-0 a/pod-1 a/pod-2 a/pod-3"]);
    expect(mirror.errors).toEqual([]);
  });

  it.each<{ mood: Mood; problem: string }>([
    { mood: "CUTS", problem: "UNREACHABLE" },
    { mood: "FAILS", problem: "UNREACHABLE" },
    { mood: "FORBIDS", problem: "AUTH_FAILED" },
    { mood: "TALKS", problem: "PROTOCOL_ERROR" },
    { mood: "ODD", problem: "PROTOCOL_ERROR" },
    { mood: "REDIRECTS", problem: "PROTOCOL_ERROR" },
    { mood: "HANGS", problem: "UNREACHABLE" },
  ])("tries again for ever, with waits that grow to 30 seconds: $mood is $problem", async ({ mood, problem }) => {
    server.put("pods", pod("one"));
    server.mood = mood;
    const mirror = start();
    await until(() => mirror.errors.length >= (mood === "HANGS" ? 2 : 9), { advance: true });
    expect(new Set(mirror.errors.map(problemOf))).toEqual(new Set([problem]));
    expect(mirror.told).toEqual([]);
    const limits = [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000];
    const asked = clock.asked.slice(0, limits.length);
    expect(asked).toEqual(limits.slice(0, asked.length).map((limit) => limit / 2));
    await server.mend();
    await until(() => mirror.items.has("a/one"), { advance: true });
  });

  it.each([
    { line: "no json", problem: "PROTOCOL_ERROR" },
    { line: '{"type":"ADDED","object":{"metadata":{"name":"x"}}}', problem: "PROTOCOL_ERROR" },
    { line: '{"type":"NEWS","object":{"metadata":{"resourceVersion":"1"}}}', problem: "PROTOCOL_ERROR" },
    { line: '{"type":"ERROR","object":{"code":500,"message":"etcd"}}', problem: "UNREACHABLE" },
    { line: '{"type":"ERROR","object":{"code":403,"message":"no"}}', problem: "AUTH_FAILED" },
  ])("tells what is wrong in a watch, and misses nothing: $line", async ({ line, problem }) => {
    server.put("pods", pod("one"));
    const mirror = start();
    await until(() => server.watches === 1);
    server.write(`${line}\n`);
    await until(() => mirror.errors.length === 1);
    expect(mirror.errors.map(problemOf)).toEqual([problem]);
    server.put("pods", pod("two"));
    await until(() => mirror.items.has("a/two"), { advance: true });
    expect(mirror.items.has("a/one")).toBe(true);
  });

  it("lists anew after a silence, because the version may be one that the server has not reached", async () => {
    const mirror = start({ watchdogMs: 50 });
    await until(() => mirror.counts.get("relists") === 2, { advance: true });
    expect(problemOf(mirror.errors[0])).toBe("UNREACHABLE");
  });

  it("looks for new credentials after a 401 before it calls it a failure", async () => {
    server.tokens.add("second");
    server.put("pods", pod("one"));
    const tokens = ["first", "second"];
    const mirror = new Mirror();
    api = new ApiClient({
      connect: () => {
        const value = tokens.shift() ?? "none";
        return Promise.resolve({ url: server.url, auth: { type: "bearer", token: { value } } });
      },
      connections: 2,
      requestMs: 1000,
      logger: silentLogger,
    });
    const read = (raw: unknown) => ({ key: objectName(raw), item: raw });
    const timing = { pageSize: 2, requestMs: 1000, watchdogMs: 60_000, watchSeconds: 240 };
    ended = reflect({ api, path: "/api/v1/pods", read, target: mirror, ...timing, clock, signal: stop.signal });
    await until(() => server.watches === 1);
    expect(mirror.errors).toEqual([]);
    server.tokens.clear();
    server.tokens.add("third");
    server.cutWatches();
    await until(() => mirror.errors.length > 0, { advance: true });
    expect(mirror.errors[0]).toBeInstanceOf(SourceError);
    expect(problemOf(mirror.errors[0])).toBe("AUTH_FAILED");
    expect(mirror.items.size).toBe(1);
  });
});
