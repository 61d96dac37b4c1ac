import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { FakeEureka, type Mood, type Registration } from "./testing/fake-eureka.ts";
import { silentLogger, noMetrics, type WithdrawalResult } from "@signalbox/registry";
import { FakeClock } from "@signalbox/registry/conformance";
import { eurekaModule } from "./index.ts";
import { Watch, type WatchOptions } from "./testing/watch.ts";

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function fake(...ids: readonly string[]): Promise<FakeEureka> {
  const eureka = await FakeEureka.open();
  closing.push(() => eureka.stop());
  for (const id of ids) eureka.register({ app: "orders", id, ip: ipOf(id) });
  return eureka;
}

/** a is 10.0.0.1, b is 10.0.0.2. */
const ipOf = (id: string): string => `10.0.0.${id.charCodeAt(0) - 96}`;

async function watch(servers: readonly FakeEureka[], config: object = {}, options?: WatchOptions): Promise<Watch> {
  // Short, for the tests in which a server hangs; nothing else waits for it.
  const started = await Watch.start({ urls: servers.map(({ url }) => url), timeoutSeconds: 0.5, ...config }, options);
  closing.push(() => started.stop());
  return started;
}

const healthy = (...ids: readonly string[]): string => `orders: ${ids.map((id) => `${id}=HEALTHY`).join(" ")}`;

describe("reading one server", () => {
  it("reads all once, then deltas, and all again by the timer", async () => {
    const eureka = await fake("a");
    const reader = await watch([eureka], { fullSeconds: 60 });
    await reader.poll(3);
    expect(eureka.requests).toEqual(["/eureka/apps", ...Array<string>(3).fill("/eureka/apps/delta")]);
    await reader.pollFor(60);
    expect(eureka.requests.filter((path) => path === "/eureka/apps")).toHaveLength(2);
    expect(reader.counts.get("eureka_full_reads_total{timer}")).toBe(1);
  });

  it("takes a repeated entry and a new registration of the same id as what is true now", async () => {
    const eureka = await fake("a", "b");
    const reader = await watch([eureka]);
    eureka.register({ app: "orders", id: "a", ip: "10.9.9.9", metadata: { version: "v2" } });
    await reader.poll(3);
    expect(reader.sink.updates).toHaveLength(2);
    const [record] = [...reader.sink.records.values()];
    expect(record?.instances.map(({ addresses: [first], labels }) => ({ first, labels }))).toEqual([
      { first: { type: "ip", ip: "10.9.9.9", port: 8080 }, labels: { version: "v2" } },
      { first: { type: "ip", ip: "10.0.0.2", port: 8080 }, labels: {} },
    ]);
    expect(eureka.requests.filter((path) => path === "/eureka/apps")).toHaveLength(1);
  });

  it("removes the one instance that was deleted, in one poll", async () => {
    const eureka = await fake("a", "b", "c", "d");
    const reader = await watch([eureka]);
    eureka.cancel("orders", "c");
    await reader.poll();
    expect(reader.state).toEqual([healthy("a", "b", "d")]);
  });

  it("says with each update which state of the server it is, but not while losses are held back", async () => {
    const eureka = await fake("a", "b", "c", "d");
    const reader = await watch([eureka]);
    eureka.register({ app: "orders", id: "a", ip: "10.0.0.1", status: "DOWN" });
    await reader.poll();
    expect(reader.sink.updates.map(({ version }) => version)).toEqual([
      `${eureka.url} UP_4_`,
      `${eureka.url} DOWN_1_UP_3_`,
    ]);
    eureka.forget((_app, id) => id !== "a");
    eureka.register({ app: "orders", id: "e", ip: "10.0.0.5" });
    await reader.poll();
    expect(reader.sink.updates).toHaveLength(3);
    expect(reader.sink.updates.at(-1)).not.toHaveProperty("version");
  });

  it("reads all when the hash shows that a change was missed", async () => {
    const eureka = await fake("a");
    const reader = await watch([eureka]);
    eureka.register({ app: "orders", id: "b", ip: "10.0.0.2" });
    eureka.forgetChanges();
    await reader.poll();
    expect(reader.state).toEqual([healthy("a", "b")]);
    expect(reader.counts.get("eureka_hash_mismatches_total")).toBe(1);
    expect(reader.counts.get("eureka_full_reads_total{hash}")).toBe(1);
  });

  it("lets the timed full read find what the hash cannot show", async () => {
    const eureka = await fake("a", "b");
    const reader = await watch([eureka], { fullSeconds: 30 });
    eureka.register({ app: "orders", id: "a", ip: "10.9.9.9" });
    eureka.forgetChanges();
    await reader.pollFor(31);
    expect(JSON.stringify([...reader.sink.records.values()])).toContain("10.9.9.9");
  });

  it("does with full reads where the server has no delta, and looks for one with the timer", async () => {
    const eureka = await fake("a", "b", "c", "d");
    eureka.noDelta = true;
    const reader = await watch([eureka], { fullSeconds: 60 });
    eureka.register({ app: "orders", id: "e", ip: "10.0.0.5" });
    await reader.poll();
    expect(reader.state).toEqual([healthy("a", "b", "c", "d", "e")]);
    eureka.cancel("orders", "e");
    await reader.poll();
    expect(reader.state).toEqual([healthy("a", "b", "c", "d", "e")]);
    await reader.poll();
    expect(reader.state).toEqual([healthy("a", "b", "c", "d")]);
    eureka.requests.length = 0;
    await reader.poll(3);
    expect(eureka.requests).toEqual(Array(3).fill("/eureka/apps"));
    eureka.noDelta = false;
    await reader.pollFor(60);
    expect(eureka.requests.at(-1)).toBe("/eureka/apps/delta");
    expect(reader.sink.degradations).toEqual([]);
  });

  it("does with full reads where the server's own hash does not fit what it lists", async () => {
    const eureka = await fake("a");
    eureka.hash = "UP_9_";
    const reader = await watch([eureka]);
    await reader.poll(2);
    expect(eureka.requests).toEqual(Array(3).fill("/eureka/apps"));
    expect(reader.state).toEqual([healthy("a")]);
  });

  it("reads the lists of old servers, which hold one thing without a list and numbers as texts", async () => {
    const eureka = await fake();
    eureka.old = true;
    const reader = await watch([eureka]);
    expect(reader.sink.updates).toHaveLength(1);
    eureka.register({ app: "orders", id: "a", ip: "10.0.0.1", port: "8080" });
    await reader.poll();
    expect(reader.state).toEqual([healthy("a")]);
    eureka.register({ app: "orders", id: "b", ip: "10.0.0.2", port: "8080" });
    eureka.register({ app: "pay", id: "x" });
    await reader.poll();
    expect(reader.state).toEqual([healthy("a", "b"), "pay: x=HEALTHY"]);
  });
});

describe("answers that say nothing", () => {
  const says = (status: number, body: string, headers = {}): Mood => ({ type: "says", status, headers, body });
  const json = JSON.stringify;
  const cases: readonly { readonly name: string; readonly mood: Mood; readonly problem: string }[] = [
    { name: "no answer in time", mood: { type: "hangs" }, problem: "UNREACHABLE" },
    { name: "half a body", mood: { type: "cuts" }, problem: "UNREACHABLE" },
    { name: "500 with a JSON error", mood: says(500, json({ status: 500, error: "x" })), problem: "UNREACHABLE" },
    { name: "503 with an empty registry", mood: says(503, json({ applications: {} })), problem: "UNREACHABLE" },
    { name: "401", mood: says(401, "{}"), problem: "AUTH_FAILED" },
    { name: "403", mood: says(403, "{}"), problem: "AUTH_FAILED" },
    { name: "404", mood: says(404, "{}"), problem: "PROTOCOL_ERROR" },
    { name: "a redirect", mood: says(302, "", { location: "/eureka/apps" }), problem: "PROTOCOL_ERROR" },
    { name: "a login page", mood: says(200, "<html>", { "content-type": "text/html" }), problem: "PROTOCOL_ERROR" },
    {
      name: "an empty registry as XML",
      mood: says(200, "<applications/>", { "content-type": "application/xml" }),
      problem: "PROTOCOL_ERROR",
    },
    {
      name: "an empty registry under another content type",
      mood: says(200, json({ applications: { apps__hashcode: "", application: [] } }), { "content-type": "text/html" }),
      problem: "PROTOCOL_ERROR",
    },
    { name: "an error with status 200", mood: says(200, json({ error: "x" })), problem: "PROTOCOL_ERROR" },
    {
      name: "no list where the hash counts instances",
      mood: says(200, json({ applications: { apps__hashcode: "UP_3_" } })),
      problem: "PROTOCOL_ERROR",
    },
    { name: "half of the JSON", mood: says(200, '{"applications":{"appl'), problem: "PROTOCOL_ERROR" },
    { name: "nothing", mood: says(200, ""), problem: "PROTOCOL_ERROR" },
    { name: "null", mood: says(200, "null"), problem: "PROTOCOL_ERROR" },
  ];

  it.each(cases)("keeps everything and says $problem after $name", async ({ mood, problem }) => {
    const eureka = await fake("a", "b");
    const reader = await watch([eureka]);
    eureka.mood = mood;
    await reader.poll(2);
    expect(reader.sink.updates).toHaveLength(1);
    expect(reader.problem).toBe(problem);
    eureka.mend();
    eureka.register({ app: "orders", id: "c", ip: "10.0.0.3" });
    await reader.poll();
    expect(reader.state).toEqual([healthy("a", "b", "c")]);
  });

  it.each(cases)("says nothing of services when the start meets $name", async ({ mood, problem }) => {
    const eureka = await fake("a");
    eureka.mood = mood;
    const reader = await watch([eureka]);
    expect(reader.sink.updates).toEqual([]);
    expect(reader.problem).toBe(problem);
  });

  it("keeps everything when all servers hang", async () => {
    const servers = [await fake("a", "b"), await fake("a", "b")];
    const reader = await watch(servers);
    for (const eureka of servers) eureka.mood = { type: "hangs" };
    await reader.poll(2);
    expect(reader.sink.updates).toHaveLength(1);
    expect(reader.problem).toBe("UNREACHABLE");
  });

  it("names what a person must mend before what may mend itself", async () => {
    const [one, two] = [await fake("a"), await fake("a")];
    const reader = await watch([one, two]);
    await one.stop();
    two.mood = { type: "says", status: 401, body: "" };
    await reader.poll();
    expect(reader.problem).toBe("AUTH_FAILED");
  });
});

describe("losses that one server does not tell", () => {
  it("keeps all that a server lost in a restart until its clients are back", async () => {
    const eureka = await fake("a", "b", "c");
    const reader = await watch([eureka]);
    await eureka.stop();
    eureka.forget(() => true);
    await reader.poll();
    await eureka.start();
    await reader.poll();
    expect(eureka.requests.at(-2)).toBe("/eureka/apps");
    expect(reader.state).toEqual([healthy("a", "b", "c")]);
    expect(reader.warnings.map(({ event }) => event)).toContain("eureka-losses-held");
    await reader.pollFor(30);
    for (const id of ["a", "b", "c"]) eureka.register({ app: "orders", id, ip: ipOf(id) });
    await reader.pollFor(120);
    expect(reader.state).toEqual([healthy("a", "b", "c")]);
    // Nothing was said again, because nothing changed.
    expect(reader.sink.updates).toHaveLength(1);
  });

  it("keeps the part that is missing when a server comes back with 60 % of the instances, then lets go of it", async () => {
    const eureka = await fake("a", "b", "c", "d", "e");
    const reader = await watch([eureka]);
    eureka.forget((_, id) => id === "d" || id === "e");
    await reader.pollFor(80);
    expect(reader.state).toEqual([healthy("a", "b", "c", "d", "e")]);
    await reader.pollFor(20);
    expect(reader.state).toEqual([healthy("a", "b", "c")]);
  });

  it("takes additions and changes at once while it keeps what is missing", async () => {
    const eureka = await fake("a", "b");
    const reader = await watch([eureka]);
    eureka.forget(() => true);
    eureka.register({ app: "orders", id: "z", ip: "10.0.0.26" });
    await reader.poll();
    expect(reader.state).toEqual([healthy("a", "b", "z")]);
  });

  it("begins to count anew after a failed read", async () => {
    const eureka = await fake("a");
    const reader = await watch([eureka]);
    eureka.forget(() => true);
    await reader.pollFor(80);
    eureka.mood = { type: "says", status: 500, body: "" };
    await reader.poll();
    eureka.mend();
    await reader.pollFor(80);
    expect(reader.state).toEqual([healthy("a")]);
    await reader.pollFor(20);
    expect(reader.state).toEqual([]);
  });

  it("believes no large loss of a server without deltas before the time is over", async () => {
    const eureka = await fake("a", "b", "c");
    eureka.noDelta = true;
    const reader = await watch([eureka]);
    eureka.forget((_, id) => id !== "a");
    await reader.pollFor(80);
    expect(reader.state).toEqual([healthy("a", "b", "c")]);
    await reader.pollFor(20);
    expect(reader.state).toEqual([healthy("a")]);
  });

  it("lets go after the time that the configuration names", async () => {
    const eureka = await fake("a");
    const reader = await watch([eureka], { losses: { holdSeconds: 0, confirmReads: 1 } });
    eureka.forget(() => true);
    await reader.poll();
    expect(reader.state).toEqual([]);
  });

  it("lets go of a service that was deleted: not in the same poll where that is more than 30 %, and not never", async () => {
    const eureka = await fake("a", "b");
    eureka.register({ app: "pay", id: "x" });
    eureka.register({ app: "pay", id: "y" });
    const reader = await watch([eureka]);
    eureka.cancel("pay", "x");
    eureka.cancel("pay", "y");
    await reader.poll();
    expect(reader.state).toEqual([healthy("a", "b"), "pay: x=HEALTHY y=HEALTHY"]);
    await reader.poll();
    expect(reader.state).toEqual([healthy("a", "b")]);
  });

  it("asks for the deletions of the time in which the server could not be read", async () => {
    const eureka = await fake("a", "b", "c", "d");
    const reader = await watch([eureka]);
    eureka.mood = { type: "says", status: 500, body: "" };
    await reader.poll();
    eureka.mend();
    eureka.cancel("orders", "d");
    eureka.requests.length = 0;
    await reader.poll();
    expect(reader.state).toEqual([healthy("a", "b", "c")]);
    // All is read again after a failure, because a delta reaches back only so far.
    expect(eureka.requests).toEqual(["/eureka/apps", "/eureka/apps/delta"]);
  });
});

describe("several servers of one Eureka", () => {
  it("reads the next one in the same round when one fails, and stays with it", async () => {
    const [one, two] = [await fake("a"), await fake("a")];
    const reader = await watch([one, two]);
    await one.stop();
    two.register({ app: "orders", id: "b", ip: "10.0.0.2" });
    await reader.poll();
    expect(reader.state).toEqual([healthy("a", "b")]);
    expect(reader.sink.degradations).toEqual([]);
    await one.start();
    one.requests.length = 0;
    await reader.poll(3);
    expect(one.requests).toEqual([]);
  });

  it("starts from the fuller one, so that a server that just restarted does not decide", async () => {
    const [empty, full] = [await fake(), await fake("a", "b")];
    const reader = await watch([empty, full]);
    expect(reader.state).toEqual([healthy("a", "b")]);
    await reader.poll(2);
    expect(full.requests.at(-1)).toBe("/eureka/apps/delta");
    expect(empty.requests).toHaveLength(1);
  });

  it("starts with those that answer", async () => {
    const [hanging, good] = [await fake("a"), await fake("a", "b")];
    hanging.mood = { type: "hangs" };
    const reader = await watch([hanging, good]);
    expect(reader.state).toEqual([healthy("a", "b")]);
  });

  it("compares with the other one when the one that is read restarts empty, and moves there", async () => {
    const [one, two] = [await fake("a", "b", "c"), await fake("a", "b", "c")];
    const reader = await watch([one, two]);
    one.forget(() => true);
    await reader.poll();
    expect(reader.state).toEqual([healthy("a", "b", "c")]);
    expect(reader.warnings.map(({ event }) => event)).toContain("eureka-peer-partial");
    // The other one holds it all, so there is nothing that time could take away.
    await reader.pollFor(200);
    expect(reader.state).toEqual([healthy("a", "b", "c")]);
    two.cancel("orders", "c");
    await reader.pollFor(10);
    expect(reader.state).toEqual([healthy("a", "b")]);
  });

  it("keeps everything when both restart one after the other", async () => {
    const [one, two] = [await fake("a", "b"), await fake("a", "b")];
    const reader = await watch([one, two]);
    for (const eureka of [one, two]) {
      await eureka.stop();
      await reader.poll();
      eureka.forget(() => true);
      await eureka.start();
      await reader.poll(2);
    }
    expect(reader.state).toEqual([healthy("a", "b")]);
    await reader.pollFor(60);
    expect(reader.state).toEqual([healthy("a", "b")]);
  });

  it("holds what each of two servers alone knows when they lost each other", async () => {
    const [one, two] = [await fake("a", "b", "c"), await fake("b", "c", "d")];
    const reader = await watch([one, two]);
    expect(reader.state).toEqual([healthy("a", "b", "c", "d")]);
    await reader.pollFor(300);
    expect(reader.state).toEqual([healthy("a", "b", "c", "d")]);
    expect(reader.sink.updates).toHaveLength(1);
  });

  it("begin to count silence anew when one fails and the next one is silent as well", async () => {
    const [one, two] = [await fake("a"), await fake("a")];
    const reader = await watch([one, two]);
    for (const eureka of [one, two]) eureka.forget(() => true);
    await reader.pollFor(80);
    await one.stop();
    await reader.pollFor(80);
    expect(reader.state).toEqual([healthy("a")]);
    await reader.pollFor(20);
    expect(reader.state).toEqual([]);
  });

  it("keep what one of them deleted in a large loss as long as another one lists it", async () => {
    const ids = ["a", "b", "c", "d", "e"];
    const [one, two] = [await fake(...ids), await fake(...ids)];
    const reader = await watch([one, two]);
    for (const id of ["a", "b"]) one.cancel("orders", id);
    // It lacks more than the other one, so it is not read instead.
    two.forget((_, id) => id > "b");
    await reader.pollFor(200);
    expect(reader.state).toEqual([healthy(...ids)]);
    two.forget(() => true);
    await reader.pollFor(15);
    expect(reader.state).toEqual([healthy("c", "d", "e")]);
  });

  it("does not let a server that lost sight of its clients speak for the one that still sees them", async () => {
    const [one, two] = [await fake("a", "b", "c"), await fake("a", "b", "c")];
    const reader = await watch([one, two]);
    one.cancelWhere(() => true);
    await reader.pollFor(200);
    expect(reader.state).toEqual([healthy("a", "b", "c")]);
    two.cancelWhere(() => true);
    await reader.pollFor(15);
    expect(reader.state).toEqual([]);
  });
});

describe("several Eurekas", () => {
  it("are registries of their own: one that hangs keeps its instances, and the other goes on", async () => {
    const [left, right] = [await fake("a"), await fake("b")];
    const readers = [await watch([left], {}, { name: "left" }), await watch([right], {}, { name: "right" })] as const;
    left.mood = { type: "hangs" };
    right.register({ app: "orders", id: "c", ip: "10.0.0.3" });
    await Promise.all(readers.map((reader) => reader.poll()));
    expect(readers.map(({ state }) => state)).toEqual([[healthy("a")], [healthy("b", "c")]]);
    expect(readers.map(({ problem }) => problem)).toEqual(["UNREACHABLE", undefined]);
  });

  it("give one app one service key and two provenances, whatever the order in which they are read", async () => {
    const [left, right] = [await fake("a"), await fake("b")];
    const readers = [await watch([left], {}, { name: "left" }), await watch([right], {}, { name: "right" })] as const;
    const keys = readers.map(({ sink }) => [...sink.records.keys()]);
    expect(keys).toEqual([["default/orders.eureka"], ["default/orders.eureka"]]);
    const registries = readers.map(({ sink }) =>
      [...sink.records.values()].map((one) => one.service.provenance.registry),
    );
    expect(registries).toEqual([["eureka/left"], ["eureka/right"]]);
  });
});

describe("credentials", () => {
  it("are read again from their file after a refusal", async () => {
    const folder = await mkdtemp(join(tmpdir(), "signalbox-eureka-"));
    closing.push(() => rm(folder, { recursive: true }));
    const file = join(folder, "password");
    await writeFile(file, "first-password\n");
    const eureka = await fake("a");
    eureka.credentials = "reader:first-password";
    const reader = await watch([eureka], { auth: { username: "reader", password: { file } } });
    expect(reader.state).toEqual([healthy("a")]);
    eureka.credentials = "reader:second-password";
    eureka.register({ app: "orders", id: "b", ip: "10.0.0.2" });
    await reader.poll();
    expect(reader.problem).toBe("AUTH_FAILED");
    expect(reader.state).toEqual([healthy("a")]);
    await writeFile(file, "second-password\n");
    await reader.poll();
    expect(reader.state).toEqual([healthy("a", "b")]);
  });
});

describe("malformed objects", () => {
  it("are told once and not in each poll, and cost nobody else the delta", async () => {
    const eureka = await fake("a");
    eureka.junk.push({ app: "ORDERS", status: "UP" }, null, "text");
    eureka.register({ app: "orders", id: "b", ip: "10.0.0.2", port: 0 });
    const reader = await watch([eureka]);
    await reader.poll(3);
    expect(reader.state).toEqual([healthy("a")]);
    expect(reader.warnings.map(({ event }) => event).sort()).toEqual([
      "eureka-instance-faulty",
      "eureka-instance-faulty",
      "eureka-instance-unreadable",
      "eureka-instance-unreadable",
      "eureka-instance-unreadable",
    ]);
    expect(eureka.requests.slice(1)).toEqual(Array(3).fill("/eureka/apps/delta"));
  });
});

describe("withdrawing an instance", () => {
  async function withdraw(
    urls: readonly string[],
    reader: Watch,
    index = 0,
    more: object = {},
  ): Promise<WithdrawalResult | undefined> {
    const config = eurekaModule.parseConfig({ urls: [...urls], timeoutSeconds: 0.5, ...more });
    const deps = { name: "test", logger: silentLogger, metrics: noMetrics, clock: new FakeClock(), baseDir: "/" };
    const instance = [...reader.sink.records.values()][0]?.instances[index];
    if (instance === undefined) throw new TypeError("nothing is listed");
    return eurekaModule.create(config, deps).withdraw?.(instance, AbortSignal.timeout(5000));
  }

  it("cancels that one registration, and only that", async () => {
    const eureka = await fake("a", "b", "c", "d");
    const reader = await watch([eureka]);
    expect(await withdraw([eureka.url], reader, 1)).toEqual({ type: "done" });
    expect(eureka.cancelled).toEqual(["/eureka/apps/ORDERS/b"]);
    await reader.poll();
    expect(reader.state).toEqual([healthy("a", "c", "d")]);
  });

  it("says where it was gone already, and then cancels nothing", async () => {
    const eureka = await fake("a", "b", "c", "d");
    const reader = await watch([eureka]);
    eureka.cancel("orders", "b");
    expect(await withdraw([eureka.url], reader, 1)).toEqual({ type: "gone" });
    expect(eureka.cancelled).toEqual([]);
  });

  it("writes names that are no parts of paths so that they are none", async () => {
    const eureka = await fake();
    eureka.register({ app: "orders", id: "host:orders/8080?x", ip: "10.0.0.1" });
    const reader = await watch([eureka]);
    await withdraw([eureka.url], reader);
    expect(eureka.cancelled).toEqual(["/eureka/apps/ORDERS/host%3Aorders%2F8080%3Fx"]);
  });

  const now = Date.now();
  it.each<[string, Partial<Registration>, string | undefined]>([
    ["has another address", { ip: "10.9.9.9" }, "is at 10.9.9.9, not at 10.0.0.1"],
    ["registered since, at the same address", { dirtyAt: 1_795_227_471_282 }, "has registered since it was judged"],
    ["still renews its lease", { renewedAt: now }, "still renews its lease"],
    ["renewed its lease just before that ran out", { renewedAt: now - 80_000 }, "still renews its lease"],
    ["has a lease that ran out", { renewedAt: now - 100_000 }, undefined],
    ["has another status and other metadata", { status: "DOWN", metadata: { x: "y" } }, undefined],
  ])("asks first, and what %s", async (_name, changes, reason) => {
    const eureka = await fake("a", "b");
    const reader = await watch([eureka]);
    eureka.register({ app: "orders", id: "a", ip: "10.0.0.1", ...changes });
    const result =
      reason === undefined ? { type: "done" } : { type: "kept", reason: expect.stringContaining(reason) as string };
    expect(await withdraw([eureka.url], reader)).toEqual(result);
    expect(eureka.cancelled).toHaveLength(reason === undefined ? 1 : 0);
  });

  it("asks all servers, and cancels at one that has it", async () => {
    const [without, eureka, other] = [await fake("b"), await fake("a", "b", "c"), await fake("a", "b", "c")];
    const reader = await watch([eureka]);
    expect(await withdraw([without.url, eureka.url, other.url], reader)).toEqual({ type: "done" });
    expect([without.cancelled, eureka.cancelled, other.cancelled]).toEqual([[], ["/eureka/apps/ORDERS/a"], []]);
  });

  it("keeps what one of several servers has newer", async () => {
    const [old, newer] = [await fake("a", "b"), await fake("a", "b")];
    const reader = await watch([old]);
    newer.register({ app: "orders", id: "a", ip: "10.0.0.1", dirtyAt: 1_795_227_471_282 });
    expect(await withdraw([old.url, newer.url], reader)).toMatchObject({ type: "kept" });
    expect([old.cancelled, newer.cancelled]).toEqual([[], []]);
  });

  it("fails, having told nobody, where a server does not answer: it may know better", async () => {
    const [dead, eureka] = [await fake("a"), await fake("a", "b", "c", "d")];
    const reader = await watch([eureka]);
    await dead.stop();
    await expect(withdraw([eureka.url, dead.url], reader)).rejects.toMatchObject({ problem: "UNREACHABLE" });
    expect(eureka.cancelled).toEqual([]);
  });

  it("fails where the server refuses", async () => {
    const eureka = await fake("a", "b");
    const reader = await watch([eureka]);
    eureka.mood = { type: "says", status: 403, body: "" };
    await expect(withdraw([eureka.url], reader)).rejects.toMatchObject({ problem: "AUTH_FAILED" });
  });

  it.each([
    ["no JSON", "application/json", "<instance/>", "PROTOCOL_ERROR"],
    ["another type", "text/html", "{}", "PROTOCOL_ERROR"],
    ["no instance", "application/json", '{"instance":{}}', "PROTOCOL_ERROR"],
  ])("fails where the answer about it is %s", async (_name, type, body, problem) => {
    const eureka = await fake("a", "b");
    const reader = await watch([eureka]);
    eureka.mood = { type: "says", status: 200, headers: { "content-type": type }, body };
    await expect(withdraw([eureka.url], reader)).rejects.toMatchObject({ problem });
  });
});
