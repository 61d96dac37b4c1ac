import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { consulEntry } from "./testing/entries.ts";
import { FakeConsul } from "./testing/fake-consul.ts";
import { key, Running } from "./testing/running.ts";

/** FakeClock starts there. */
const began = Date.UTC(2026, 0, 1);
const token = "0f6ad5c1-7a0b-4f4e-9f1c-5d3f6ad5c17a";
const readAll = { service: () => true, node: () => true };

vi.setConfig({ testTimeout: 60_000 });

let fake: FakeConsul;
beforeEach(async () => {
  fake = await FakeConsul.start({ index: 100n });
});
afterEach(() => fake.close());

function run(config: object = {}, after?: Running): Running {
  return new Running({ url: fake.url, waitSeconds: 60, timeoutSeconds: 10, ...config }, after);
}

/** A run that knew so many instances of each of these services, and ended. */
async function ended(services: Readonly<Record<string, number>>, config: object = {}): Promise<Running> {
  for (const [service, count] of Object.entries(services)) put(service, count);
  await using running = run(config);
  for (const [service, count] of Object.entries(services)) await running.has(service, count);
  return running;
}

/** Registers so many instances, from 1, each on its own node. */
function put(service: string, count: number): void {
  const numbers = Array.from({ length: count }, (_, index) => index + 1);
  fake.set(
    service,
    numbers.map((number) => {
      const name = `${service}-${number}`;
      return consulEntry(service, { node: name, id: name, ip: `10.1.0.${number}` });
    }),
  );
}

const counts = (running: Running, ...services: readonly string[]) => services.map((service) => running.count(service));
const hasFailed = (running: Running) => running.sink.degradations.some(({ problem }) => problem === "PROTOCOL_ERROR");

describe("a cluster that lost its data while nothing ran", () => {
  it.each([
    ["other servers, whatever the index", { index: 5000n, serverId: "server-2" }],
    ["the same servers and a smaller index", { index: 5n, serverId: "server-1" }],
  ])("is known by %s: what is missing stays for the grace, and what is back takes over", async (_what, history) => {
    const before = await ended({ web: 2, db: 1 });
    fake.forget(history);
    put("web", 1);
    await using running = run({ restartGraceSeconds: 600 }, before);
    await running.sink.waitFor(({ updates }) => updates.length > 0, 15_000);
    expect(counts(running, "web", "db")).toEqual([2, 1]);
    await running.fails("PROTOCOL_ERROR");
    put("web", 2);
    await running.passing(() => running.count("db") === undefined);
    expect(running.clock.now() - began).toBeGreaterThanOrEqual(600_000);
    expect(running.least("web")).toBe(2);
  });

  it("is known as that by yet another run, also by what was kept only", async () => {
    const before = await ended({ web: 2, db: 1 });
    fake.forget();
    put("web", 1);
    const between = run({}, before);
    await between.sink.waitFor(({ updates }) => updates.length > 0, 15_000);
    await between[Symbol.asyncDispose]();
    await using running = run({}, between);
    await running.sink.waitFor(({ updates }) => updates.length > 0, 15_000);
    expect(counts(running, "web", "db")).toEqual([2, 1]);
    await running.fails("PROTOCOL_ERROR");
  });

  it("keeps what it kept, in each datacenter by the servers that are there", async () => {
    const datacenters = ["dc1", "dc2"];
    put("web", 2);
    const before = run({ datacenters });
    await before.has("web", 4);
    await before[Symbol.asyncDispose]();
    fake.forget();
    await using running = run({ datacenters }, before);
    await running.sink.waitFor(({ updates }) => updates.length > 0, 15_000);
    expect(running.count("web")).toBe(4);
    // What is kept goes by the versions that it had, however often it is kept.
    const versionIn = ({ sink }: Running) => sink.records.get(key("web"))?.service.provenance.sourceVersion;
    expect(versionIn(running)).toBe([...new Set(versionIn(before)?.split(","))].join(","));
  });
});

describe("what truly left while nothing ran", () => {
  it("is not in the first snapshot, and no trouble", async () => {
    const before = await ended({ web: 3, db: 1, api: 1 });
    put("web", 2);
    fake.set("db", []);
    await using running = run({ waitSeconds: 1 }, before);
    await running.sink.waitFor(({ updates }) => updates.length > 0, 15_000);
    expect(counts(running, "web", "db", "api")).toEqual([2, undefined, 1]);
    await running.alive();
    expect(running.sink.degradations).toEqual([]);
  });

  it("is let go also where the servers were replaced one by one, once the grace is over", async () => {
    const before = await ended({ web: 2 });
    const services = fake.entries("web");
    fake.forget({ index: 5000n, serverId: "server-2" });
    fake.set("web", services.slice(0, 1));
    await using running = run({ restartGraceSeconds: 60 }, before);
    await running.sink.waitFor(({ updates }) => updates.length > 0, 15_000);
    expect(running.count("web")).toBe(2);
    await running.passing(() => running.count("web") === 1);
    expect(hasFailed(running)).toBe(true);
  });
});

describe("access control that hides more than before", () => {
  it("takes nothing away, and does not keep the other services waiting", async () => {
    fake.policies = new Map([[token, readAll]]);
    const before = await ended({ a: 2, b: 2 }, { token });
    fake.policies.set(token, { service: (name) => name !== "b", node: () => true });
    put("a", 3);
    await using running = run({ token }, before);
    await running.sink.waitFor(({ updates }) => updates.length > 0, 15_000);
    expect(counts(running, "a", "b")).toEqual([3, 2]);
    await running.fails("AUTH_FAILED");
  });

  it("is no news where it hid the same before", async () => {
    fake.policies = new Map([[token, { service: () => true, node: (name) => name !== "web-1" }]]);
    put("web", 3);
    const before = run({ token });
    await before.has("web", 2);
    await before[Symbol.asyncDispose]();
    put("web", 2);
    await using running = run({ token }, before);
    await running.sink.waitFor(({ updates }) => updates.length > 0, 15_000);
    expect(running.count("web")).toBe(1);
    expect(running.sink.degradations).toEqual([]);
  });

  it("makes nothing look fresh that could not be read at all", async () => {
    const before = await ended({ web: 1 }, { token });
    fake.faultOf.set("web", "forbidden");
    await using running = run({ token }, before);
    await running.fails("AUTH_FAILED");
    expect(running.sink.updates).toEqual([]);
  });
});

describe("a configuration that changed", () => {
  it("has no place for services of another domain, and reads its own", async () => {
    const before = await ended({ web: 2 });
    await using running = run({ domain: "mesh" }, before);
    await running.sink.waitFor(({ updates }) => updates.length > 0, 15_000);
    expect([...running.sink.records.keys()]).toEqual(["default/web.service.mesh"]);
  });

  it("leaves out services that it excludes", async () => {
    const before = await ended({ web: 2, db: 1 });
    fake.forget();
    await using running = run({ exclude: { names: ["db", "consul"] } }, before);
    await running.sink.waitFor(({ updates }) => updates.length > 0, 15_000);
    expect([...running.sink.records.keys()]).toEqual([key("web")]);
  });
});
