import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { consulEntry } from "./testing/entries.ts";
import { FakeConsul, type Fault } from "./testing/fake-consul.ts";
import { key, Running } from "./testing/running.ts";

const token = "0f6ad5c1-7a0b-4f4e-9f1c-5d3f6ad5c17a";
const readAll = { service: () => true, node: () => true };

vi.setConfig({ testTimeout: 60_000 });

let fake: FakeConsul;
beforeEach(async () => {
  fake = await FakeConsul.start();
});
afterEach(() => fake.close());

/** A run on the fake. Its clock stands still, so that a read which a busy machine makes late must not fail: no retry would come. */
function run(config: object = {}): Running {
  return new Running({ url: fake.url, waitSeconds: 60, timeoutSeconds: 10, ...config });
}

/** Registers so many instances, from 1, each on its own node. */
function put(service: string, count: number, change: object = {}): void {
  const numbers = Array.from({ length: count }, (_, index) => index + 1);
  fake.set(
    service,
    numbers.map((number) =>
      consulEntry(service, {
        node: `${service}-${number}`,
        id: `${service}-${number}`,
        ip: `10.1.0.${number}`,
        ...change,
      }),
    ),
  );
}

async function eventually(reached: () => boolean): Promise<void> {
  const end = performance.now() + 10_000;
  while (!reached()) {
    if (performance.now() > end) throw new Error("not within 10 s");
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

describe("answers that are none", () => {
  it.each<{ fault: Fault; problem: "UNREACHABLE" | "AUTH_FAILED" | "PROTOCOL_ERROR" }>([
    { fault: "error-500", problem: "UNREACHABLE" },
    { fault: "leaderless", problem: "UNREACHABLE" },
    { fault: "truncated", problem: "UNREACHABLE" },
    { fault: "hang", problem: "UNREACHABLE" },
    { fault: "forbidden", problem: "AUTH_FAILED" },
    { fault: "redirect", problem: "PROTOCOL_ERROR" },
    { fault: "html", problem: "PROTOCOL_ERROR" },
    { fault: "wrong-json", problem: "PROTOCOL_ERROR" },
    { fault: "no-index", problem: "PROTOCOL_ERROR" },
  ])("$fault: nothing is removed, the trouble is told, and the next change is seen", async ({ fault, problem }) => {
    put("web", 3);
    put("db", 1);
    await using running = run({ waitSeconds: 1, ...(fault === "hang" && { timeoutSeconds: 0.3 }) });
    // With so little patience, good answers may come too late on a busy machine, and are asked for again.
    await running.passing(() => running.count("web") === 3);
    const before = running.sink.degradations.length;
    fake.fault = fault;
    // Who waits is answered: what says nothing new is not looked at.
    fake.bump();
    await running.passing(() => running.sink.degradations.slice(before).some((told) => told.problem === problem));
    expect(running.sink.updates).toHaveLength(1);
    fake.fault = "none";
    put("web", 4);
    await running.passing(() => running.count("web") === 4);
    expect(running.least("web")).toBe(3);
    expect(running.count("db")).toBe(1);
  });

  it("are told with the agent's address where a connection fails", async () => {
    put("web", 1);
    await using running = run();
    await running.has("web", 1);
    fake.fault = "truncated";
    fake.bump();
    await running.fails("UNREACHABLE");
    expect(running.sink.degradations.at(-1)?.error.message).toContain(`${fake.url}: `);
  });

  it("of one service in the middle of a round remove nothing and hide no other service", async () => {
    put("web", 3);
    put("db", 1);
    await using running = run();
    await running.has("web", 3);
    fake.faultOf.set("web", "error-500");
    fake.bump("web");
    await running.fails("UNREACHABLE");
    put("db", 2);
    await running.has("db", 2);
    expect(running.count("web")).toBe(3);
    fake.faultOf.clear();
    put("web", 2);
    await running.passing(() => running.count("web") === 2);
  });

  it("make answers of other services doubtful until the list was read again", async () => {
    put("web", 2);
    put("db", 1);
    await using running = run();
    await running.has("web", 2);
    await eventually(() => fake.waiting.includes("/v1/health/service/web"));
    const readsOf = (kind: string) => running.counted.filter((name) => name === `consul_reads_total ${kind}`).length;
    // The list hangs from now on, so that nobody can find out whether the cluster is still the same.
    fake.faultOf.set("web", "none").set("db", "error-500");
    fake.fault = "hang";
    fake.bump("db");
    await running.fails("UNREACHABLE");
    const before = readsOf("service");
    put("web", 1);
    await eventually(() => readsOf("service") > before);
    await new Promise((resolve) => setImmediate(resolve));
    expect(running.count("web")).toBe(2);
    const { length } = fake.requests;
    fake.faultOf.clear();
    fake.fault = "none";
    await running.passing(() => running.count("web") === 1);
    const again = fake.requests.slice(length).find(({ path }) => path === "/v1/health/service/web");
    expect(again?.query.has("index")).toBe(false);
  });

  it("are no snapshot while one service was never read", async () => {
    put("web", 1);
    put("db", 1);
    fake.faultOf.set("web", "error-500");
    await using running = run();
    await running.fails("UNREACHABLE");
    expect(running.sink.updates).toEqual([]);
    fake.faultOf.clear();
    await running.passing(() => running.count("web") === 1);
    expect(running.sink.updates).toHaveLength(1);
    expect(running.count("db")).toBe(1);
  });
});

describe("what truly left", () => {
  it("is removed when a service was deregistered", async () => {
    put("web", 3);
    put("db", 1);
    await using running = run({ token });
    await running.has("web", 3);
    fake.set("web", []);
    await running.has("web", undefined);
    expect(running.count("db")).toBe(1);
    expect(running.sink.degradations).toEqual([]);
  });

  it("is an instance that was deregistered", async () => {
    put("web", 3);
    await using running = run({ token });
    await running.has("web", 3);
    put("web", 2);
    await running.has("web", 2);
    expect(running.sink.degradations).toEqual([]);
  });

  it("is not a service whose instances are all critical: they are told as unhealthy", async () => {
    put("web", 2);
    await using running = run();
    await running.has("web", 2);
    put("web", 2, { checks: [{ CheckID: "c", Status: "critical" }] });
    const healths = () => running.sink.records.get(key("web"))?.instances.map(({ healthStatus }) => healthStatus);
    await running.sink.waitFor(() => healths()?.includes("UNHEALTHY") === true, 10_000);
    expect(healths()).toEqual(["UNHEALTHY", "UNHEALTHY"]);
  });
});

describe("indexes", () => {
  it("are kept exactly beyond 2^53", async () => {
    await fake.close();
    const index = 9_007_199_254_740_993n;
    fake = await FakeConsul.start({ index });
    put("web", 1);
    await using running = run();
    await running.has("web", 1);
    put("web", 2);
    await running.has("web", 2);
    await eventually(() => fake.waiting.includes("/v1/health/service/web"));
    const asked = fake.requests.flatMap(({ query }) => query.get("index") ?? []);
    expect(asked).toContain(String(index + 2n));
    expect(running.sink.records.get(key("web"))?.service.provenance.sourceVersion).toBe(`${index + 2n}@server-1`);
  });

  it("that go backwards on an open connection lose no change, and what is missing stays for the grace", async () => {
    put("web", 3);
    put("db", 1);
    for (let count = 0; count < 90; count++) fake.bump();
    await using running = run({ restartGraceSeconds: 3600 });
    await running.has("web", 3);
    await eventually(() => fake.waiting.length === 3);
    fake.forget({ index: 5n });
    put("web", 2);
    fake.answerAll();
    await running.fails("PROTOCOL_ERROR");
    // A change in the new history, whose index is far below the old one.
    put("web", 2, { meta: { version: "v2" } });
    const labels = () => running.sink.records.get(key("web"))?.instances.map(({ labels: { version } }) => version);
    await running.sink.waitFor(() => labels()?.[0] === "v2", 10_000);
    expect(labels()).toEqual(["v2", "v2", undefined]);
    expect(running.count("db")).toBe(1);
    expect(running.counted).toContain("consul_index_resets_total restart");
    await running.passing(() => running.count("web") === 2 && running.count("db") === undefined);
    expect(running.clock.now() - Date.UTC(2026, 0, 1)).toBeGreaterThanOrEqual(3_600_000);
    await running.passing(() => running.sink.aliveCount > 0);
  });

  it("are forgotten after a broken connection: a server with a smaller one is not waited for", async () => {
    put("web", 1);
    await using running = run();
    await running.has("web", 1);
    await fake.down();
    await running.fails("UNREACHABLE");
    const before = fake.requests.length;
    await fake.up();
    put("web", 2);
    await running.passing(() => running.count("web") === 2);
    const first = fake.requests.slice(before).filter(({ path }) => path === "/v1/health/service/web")[0];
    expect(first?.query.has("index")).toBe(false);
  });

  it("of 0 are asked with as 1", async () => {
    await fake.close();
    fake = await FakeConsul.start({ index: 0n });
    await using running = run();
    await running.sink.waitFor(({ updates }) => updates.length === 1, 10_000);
    await eventually(() => fake.waiting.length > 0 || fake.requests.length > 3);
    expect(fake.requests.flatMap(({ query }) => query.get("index") ?? [])).toEqual(["1"]);
  });

  it("that are larger with other servers are a new history too", async () => {
    put("web", 2);
    await using running = run({ restartGraceSeconds: 3600 });
    await running.has("web", 2);
    await fake.down();
    await running.fails("UNREACHABLE");
    fake.forget({ index: 1000n, serverId: "another" });
    await fake.up();
    // Not so far that the grace is over before the new history was read: backoffs are 30 s at most.
    await running.passing(() => running.sink.degradations.some(({ problem }) => problem === "PROTOCOL_ERROR"), 30_000);
    expect(running.count("web")).toBe(2);
    await running.passing(() => running.count("web") === undefined);
  });
});

describe("a history that began anew", () => {
  it("is known by its index alone where the servers stayed the same", async () => {
    put("web", 2);
    for (let count = 0; count < 90; count++) fake.bump();
    await using running = run({ restartGraceSeconds: 3600 });
    await running.has("web", 2);
    await fake.down();
    await running.fails("UNREACHABLE");
    fake.forget({ index: 5n, serverId: "server-1" });
    await fake.up();
    // Not so far that the grace is over before the new history was read: backoffs are 30 s at most.
    await running.passing(() => running.sink.degradations.some(({ problem }) => problem === "PROTOCOL_ERROR"), 30_000);
    expect(running.count("web")).toBe(2);
  });
});

describe("what is told of trouble", () => {
  it("is told once for many services that fail for one reason, and again after a push", async () => {
    for (let number = 0; number < 10; number++) put(`s${number}`, 1);
    put("db", 1);
    await using running = run();
    await running.has("db", 1);
    for (let number = 0; number < 10; number++) fake.faultOf.set(`s${number}`, "error-500");
    fake.bump();
    await running.fails("UNREACHABLE");
    await eventually(
      () => running.counted.filter((name) => name === "consul_read_errors_total UNREACHABLE").length >= 10,
    );
    expect(running.sink.degradations).toHaveLength(1);
    put("db", 2);
    await running.has("db", 2);
    await running.sink.waitFor(({ degradations }) => degradations.length === 2, 4000);
  });
});

describe("access control that hides without a word", () => {
  it("keeps a service that is listed and shows no instance to a reader without a token", async () => {
    put("web", 2);
    fake.policies = new Map([["", readAll]]);
    await using running = run();
    await running.has("web", 2);
    fake.policies.set("", { service: () => true, node: (name) => name === "server" });
    fake.bump();
    await running.fails("AUTH_FAILED");
    expect(running.least("web")).toBe(2);
  });

  it("keeps what a token can no longer see, names the reason, and lets the rest go on", async () => {
    for (const name of ["a", "b", "c", "d"]) put(name, 2);
    fake.policies = new Map([[token, readAll]]);
    await using running = run({ token });
    await running.has("d", 2);
    fake.policies.set(token, { service: (name) => name === "consul" || name < "c", node: () => true });
    fake.bump();
    await running.fails("AUTH_FAILED");
    put("a", 3);
    await running.has("a", 3);
    expect([running.count("c"), running.count("d")]).toEqual([2, 2]);
    fake.policies.set(token, readAll);
    fake.bump();
    await running.passing(() => running.sink.aliveCount > 0);
    fake.set("c", []);
    await running.has("c", undefined);
  });

  it("keeps instances whose nodes a token can no longer see", async () => {
    put("web", 3);
    fake.policies = new Map([[token, readAll]]);
    await using running = run({ token });
    await running.has("web", 3);
    fake.policies.set(token, { service: () => true, node: (name) => name !== "web-2" });
    fake.bump();
    await running.fails("AUTH_FAILED");
    expect(running.least("web")).toBe(3);
  });

  it("follows a token that saw only some nodes from the beginning", async () => {
    put("web", 3);
    fake.policies = new Map([[token, { service: () => true, node: (name) => name !== "web-1" }]]);
    await using running = run({ token });
    await running.has("web", 2);
    put("web", 2);
    await running.has("web", 1);
    expect(running.sink.degradations).toEqual([]);
  });

  it("finds out about an anonymous reader by the servers' own service", async () => {
    put("web", 2);
    fake.policies = new Map([["", readAll]]);
    await using running = run();
    await running.has("web", 2);
    fake.policies.set("", { service: (name) => name === "web", node: () => true });
    fake.bump();
    await running.fails("AUTH_FAILED");
    fake.policies.set("", { service: () => false, node: () => false });
    fake.bump();
    await running.passing(() => running.sink.degradations.length > 2);
    expect(running.least("web")).toBe(2);
  });

  it("says nothing of a source that shows nothing from the beginning", async () => {
    put("web", 2);
    fake.policies = new Map([[token, { service: () => false, node: () => false }]]);
    await using running = run({ token });
    await running.fails("AUTH_FAILED");
    expect(running.sink.updates).toEqual([]);
  });
});

describe("the queue for connections", () => {
  it("serves every service above the cap, with turns that are shorter, and never more at once", async () => {
    for (let number = 0; number < 12; number++) put(`s${number}`, 1);
    await using running = run({ concurrency: 4, rotationSeconds: 1.5 });
    await running.has("s11", 1);
    let most = 0;
    const waitingServices = () => fake.waiting.filter((path) => path.startsWith("/v1/health/")).length;
    for (let number = 0; number < 12; number++) {
      put(`s${number}`, 2);
      await eventually(() => {
        most = Math.max(most, waitingServices());
        return running.count(`s${number}`) === 2;
      });
    }
    expect(most).toBeLessThanOrEqual(4);
    const waits = fake.requests
      .filter(({ path }) => path.startsWith("/v1/health/service/s"))
      .flatMap(({ query }) => query.get("wait") ?? []);
    expect(new Set(waits)).toEqual(new Set(["500ms"]));
  });

  it("waits as long as configured where there is a connection for each", async () => {
    put("web", 1);
    await using running = run();
    await running.has("web", 1);
    await eventually(() => fake.waiting.length === 2);
    const waits = () => fake.requests.flatMap(({ query }) => query.get("wait") ?? []).map((wait) => parseInt(wait));
    const [list, first = 0] = waits();
    expect(list).toBe(60_000);
    // Services that were read together are not asked for together from then on.
    expect(first).toBeGreaterThanOrEqual(30_000);
    expect(first).toBeLessThanOrEqual(60_000);
    fake.bump();
    await eventually(() => fake.waiting.length === 2 && waits().length === 4);
    expect(waits().slice(2)).toEqual([60_000, 60_000]);
  });

  it("slows down reads that answer at once again and again", async () => {
    put("web", 1);
    await using running = run();
    await running.has("web", 1);
    // As many changes as it takes: on a busy machine, several meet one read.
    await eventually(() => {
      fake.bump();
      return running.clock.pending.length === 2;
    });
    const { length } = fake.requests;
    expect(length).toBeLessThan(45);
    for (let count = 0; count < 50; count++) {
      fake.bump();
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(fake.requests).toHaveLength(length);
  });

  it("waits after failures with full jitter, longer each time", async () => {
    put("web", 1);
    await using running = run();
    await running.has("web", 1);
    await fake.down();
    await running.passing(() => running.sink.degradations.length > 6);
    const asked = running.clock.asked.filter((ms) => ms <= 30_000);
    expect(new Set(asked).size).toBeGreaterThan(3);
    expect(Math.max(...asked)).toBeGreaterThan(250);
  });
});

describe("which services", () => {
  it("are chosen by name and tag, also when the tags change", async () => {
    put("web-1", 1, { tags: ["mesh"] });
    put("web-2", 1);
    put("db", 1, { tags: ["mesh"] });
    await using running = run({ include: { names: ["web-*"], tags: ["mesh"] } });
    await running.has("web-1", 1);
    put("web-2", 1, { tags: ["mesh"] });
    await running.has("web-2", 1);
    put("web-1", 1);
    await running.has("web-1", undefined);
    expect([...running.sink.records.keys()]).toEqual([key("web-2")]);
  });

  it("are those of all datacenters, merged by name", async () => {
    put("web", 2);
    await using running = run({ datacenters: ["dc1", "dc2"], namespaces: ["default"] });
    await running.has("web", 4);
    expect(running.sink.updates).toHaveLength(1);
    const regions = running.sink.records.get(key("web"))?.instances.map(({ locality: { region } }) => region);
    expect(regions).toEqual(["dc1", "dc1", "dc2", "dc2"]);
  });

  it("count once where two scopes are the same", async () => {
    put("web", 2);
    await using running = run({ datacenters: ["dc1", "dc1"] });
    await running.has("web", 2);
  });

  it("have hostnames of their own where their names collide", async () => {
    put("a/b", 1);
    await using running = run();
    await running.has("a-b", 1);
    put("a-b", 2);
    await running.has("a-b", 2);
    const other = [...running.sink.records.values()].find(({ service }) => service.provenance.object === "Service a/b");
    expect(other?.service.hostname).toMatch(/^a-b-[0-9a-f]{8}\.service\.consul$/);
    fake.set("a-b", []);
    await running.has("a-b", 1);
    expect(running.sink.records.size).toBe(1);
  });
});

describe("metrics", () => {
  it("count good reads of lists and services, and know no lag where the leader answers", async () => {
    put("web", 1);
    await using running = run();
    await running.has("web", 1);
    expect(running.counted).toEqual(
      expect.arrayContaining(["consul_reads_total list", "consul_reads_total service"]) as unknown,
    );
    expect(running.observed).toEqual([]);
  });
});

describe("stale reads", () => {
  it("are asked for where configured, and made again where the server lags too far behind", async () => {
    put("web", 1);
    await using running = run({ consistency: { mode: "stale", maxStaleSeconds: 5 } });
    await running.has("web", 1);
    expect(fake.requests.every(({ query }) => query.has("stale"))).toBe(true);
    const lag = { name: "consul_lag_seconds", value: 4 };
    fake.lastContactMs = 4000;
    put("api", 1);
    await running.has("api", 1);
    expect(running.observed).toContainEqual({ ...lag, labels: { kind: "service" } });
    expect(running.observed).toContainEqual({ ...lag, labels: { kind: "list" } });
    fake.lastContactMs = 6000;
    put("db", 1);
    await running.has("db", 1);
    expect(running.observed.every(({ value }) => value <= 5)).toBe(true);
    const fresh = fake.requests.filter(({ query }) => !query.has("stale"));
    expect(fresh.length).toBeGreaterThan(0);
    expect(running.sink.degradations).toEqual([]);
  });
});

describe("tokens", () => {
  it("go along with every request, as header and nowhere else", async () => {
    put("web", 1);
    fake.policies = new Map([[token, readAll]]);
    await using running = run({ token });
    await running.has("web", 1);
    expect(new Set(fake.requests.map((request) => request.token))).toEqual(new Set([token]));
    expect(fake.requests.some(({ query }) => query.toString().includes(token))).toBe(false);
  });
});
