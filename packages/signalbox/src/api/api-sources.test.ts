import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createApi } from "@signalbox/api";
import { createInProcessBus } from "@signalbox/event-bus";
import { registryId, type RegistryId } from "@signalbox/model";
import { noMetrics, type Logger, type Registry, type RegistrySink } from "@signalbox/registry";
import { FakeClock, serviceRecord } from "@signalbox/registry/conformance";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { parseConfig } from "../config/check.ts";
import type { SignalboxConfigInput } from "../config/schema.ts";
import { composeDiscovery, type StageContext } from "../discovery.ts";
import { apiSources } from "./api-sources.ts";

let dir: string;
const ends: (() => Promise<void>)[] = [];
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "signalbox-api-"));
});
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
  rmSync(dir, { recursive: true, force: true });
});

const hour = 3_600_000;
const start = Date.UTC(2026, 0, 1);
const [left, right] = [registryId("probe", "left"), registryId("probe", "right")];

class Probe implements Registry {
  readonly id: RegistryId;
  sink: RegistrySink | undefined;

  constructor(id: RegistryId) {
    this.id = id;
  }

  async run(sink: RegistrySink, signal: AbortSignal): Promise<void> {
    this.sink = sink;
    await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
  }

  say(...ips: readonly string[]): void {
    const record = serviceRecord({ hostname: "orders.test", registry: this.id, instances: ips });
    this.sink?.push({ type: "snapshot", records: [record] });
  }
}

type Service = NonNullable<SignalboxConfigInput["services"]>[number];

const split = (from: number, to: number) => ({ "probe/left": from, "probe/right": to });
const ramp: NonNullable<Service["ramp"]> = {
  steps: [
    { at: "2026-01-01T01:00:00Z", split: split(90, 10) },
    { at: "2026-01-01T02:00:00Z", split: split(50, 50) },
    { at: "2026-01-01T03:00:00Z", split: { "probe/right": 100 } },
  ],
  gates: { minEligible: { "probe/right": 1 } },
};

/** The upper half of a pipeline with its API, and two registries that both know one service. */
async function world(
  service: Omit<Service, "match">,
  more: SignalboxConfigInput = {},
  now = start,
  refusal?: () => string | undefined,
) {
  const clock = new FakeClock(now);
  const events: string[] = [];
  const authors: unknown[] = [];
  const log = (event: string, fields: object = {}) => {
    events.push(event);
    if ("author" in fields) authors.push([event, fields.author]);
  };
  const logger: Logger = { debug: log, info: log, warn: log, error: log };
  const registries = [new Probe(left), new Probe(right)] as const;
  const config = parseConfig({ services: [{ match: "orders.test", ...service }], ...more });
  const metrics = { forRegistry: () => noMetrics, debounced: () => undefined } as unknown as StageContext["metrics"];
  const context = { baseDir: dir, clock, logger, metrics };
  const { aggregate, parity } = composeDiscovery(config, createInProcessBus(), registries, context);
  const api = createApi({
    sources: apiSources({ aggregate, clock, parity, ...(refusal && { refusal }) }),
    version: "0",
    now: () => clock.now(),
    token: () => Promise.resolve("secret"),
  });
  const stop = new AbortController();
  const ended = aggregate.run(stop.signal);
  const end = async (): Promise<void> => {
    stop.abort();
    await ended;
  };
  ends.push(end);
  const pass = async (ms: number) => clock.advance(ms);
  await pass(0);
  for (const registry of registries) registry.say("192.0.2.1", "192.0.2.2");
  await pass(2000);
  const ask = async (method: string, path: string) => {
    const headers = { authorization: "Bearer secret", "content-type": "application/json" };
    const body = method === "GET" ? Buffer.alloc(0) : Buffer.from(JSON.stringify({ author: "ann", reason: "a test" }));
    const answer = await api.handle({ method, path, query: new URLSearchParams(), headers, body });
    return { status: answer.status, body: JSON.parse(answer.body) as Record<string, unknown> };
  };
  const migration = async () => (await ask("GET", "/v1/migration/orders")).body;
  const act = (action: string) => ask("POST", `/v1/migration/orders:${action}`);
  /** The sources are read again, and have nothing new. */
  const read = (): void => registries.forEach(({ sink }) => sink?.alive());
  return {
    ...{ act, ask, authors, clock, end, events, migration, pass, read },
    left: registries[0],
    right: registries[1],
  };
}

describe("the API of a service with a ramp", () => {
  it("shows where the ramp is and compares its two sides, also at its end", async () => {
    const { migration, pass } = await world({ ramp });
    expect(await migration()).toMatchObject({
      ...{ from: "probe/left", to: "probe/right", ready: true },
      ramp: { state: "RUNNING", weights: split(90, 10), nextStepAt: start + 2 * hour, detail: "step 1 of 3" },
    });
    await pass(3 * hour);
    expect(await migration()).toMatchObject({
      ...{ from: "probe/left", to: "probe/right" },
      ramp: { state: "DONE", weights: { "probe/right": 100 }, since: start + 3 * hour, detail: "step 3 of 3" },
    });
  });

  it("rolls back and goes on", async () => {
    const { act, clock, migration, pass } = await world({ ramp });
    await pass(2 * hour);
    const { body, status } = await act("rollback");
    const since = clock.now();
    const detail = "step 1 of 3: step 2 was rolled back";
    expect([status, body]).toEqual([200, { state: "ROLLED_BACK", weights: split(90, 10), since, detail }]);
    await pass(5 * hour);
    expect(await migration()).toMatchObject({ ramp: body });
    expect((await act("resume")).body).toMatchObject({ state: "RUNNING", weights: split(90, 10) });
    await pass(hour + 2000);
    expect(await migration()).toMatchObject({ ramp: { state: "RUNNING", weights: split(50, 50) } });
  });

  it("refuses to resume what nobody rolled back, and says what holds it", async () => {
    const { act, pass, right: target } = await world({ ramp });
    expect((await act("resume")).body).toMatchObject({
      code: "SBX_WRITE_REFUSED",
      error: expect.stringContaining("RUNNING") as string,
    });
    target.say();
    await pass(2000);
    const { body, status } = await act("resume");
    expect([status, body["code"]]).toEqual([409, "SBX_WRITE_REFUSED"]);
    expect(body["error"]).toContain("probe/right has 0 eligible endpoints, fewer than 1");
  });

  it("knows no ramp of a service that has a merge", async () => {
    const { act } = await world({ merge: { split: split(1, 1) } });
    for (const action of ["rollback", "resume"])
      expect((await act(action)).body).toMatchObject({ code: "SBX_ID_UNKNOWN" });
  });
});

describe("the state of ramps", () => {
  const state = () => ({ state: { dir: join(dir, "state") } });
  const file = () => join(dir, "state", "ramps.json");

  it("is the same after a restart", async () => {
    const before = await world({ ramp }, state());
    await before.pass(2 * hour);
    await before.act("rollback");
    await before.end();
    const after = await world({ ramp }, state(), start + 9 * hour);
    expect(await after.migration()).toMatchObject({ ramp: { state: "ROLLED_BACK", weights: split(90, 10) } });
    expect(after.events).not.toContain("ramps-not-kept");
  });

  it("follows the times of the steps where there is no file, or none that can be read", async () => {
    const first = await world({ ramp }, state(), start + 9 * hour);
    expect(await first.migration()).toMatchObject({ ramp: { state: "DONE" } });
    await first.end();
    expect(JSON.parse(readFileSync(file(), "utf8"))).toMatchObject({
      v: 1,
      ramps: [{ service: "default/orders.test" }],
    });
    writeFileSync(file(), '{"v":1,"ramps":[{"service":"default/orders.test"}]}');
    const second = await world({ ramp }, state(), start + 9 * hour);
    expect(second.events).toContain("ramps-restore-failed");
    expect(await second.migration()).toMatchObject({ ramp: { state: "DONE" } });
  });

  it("is said to be lost, once, where there is no folder for it", async () => {
    const { act, events, pass } = await world({ ramp });
    await pass(2 * hour);
    await act("rollback");
    expect(events.filter((event) => event === "ramps-not-kept")).toHaveLength(1);
    const none = await world({ merge: "union" });
    expect(none.events).not.toContain("ramps-not-kept");
  });
});

describe("the time in parity", () => {
  const migration = { parity: 1, for: "10m" };
  const rules = { merge: { split: split(1, 1) }, migration };

  it("counts from the first report, and makes the service ready when it is long enough", async () => {
    const { migration: report, pass, read } = await world(rules);
    await pass(hour);
    read();
    expect(await report()).toMatchObject({
      ready: false,
      secondsInParity: 0,
      blockers: [{ code: "PARITY_TOO_SHORT" }],
    });
    await pass(9 * 60_000);
    expect(await report()).toMatchObject({ ready: false, secondsInParity: 540 });
    await pass(60_000);
    read();
    expect(await report()).toMatchObject({ ready: true, secondsInParity: 600 });
  });

  it("begins anew when parity was lost between two reports", async () => {
    const { migration: report, pass, right: target } = await world(rules);
    await report();
    await pass(hour);
    target.say("192.0.2.1");
    await pass(2000);
    target.say("192.0.2.1", "192.0.2.2");
    await pass(60_000);
    const { ready, secondsInParity } = await report();
    expect(ready).toBe(false);
    expect(secondsInParity).toBeGreaterThanOrEqual(59);
    expect(secondsInParity).toBeLessThanOrEqual(60);
  });
});

describe("withdrawals", () => {
  const drift = {
    clusters: [{ registry: "probe/right", podCidrs: ["192.0.2.0/24"] }],
    withdraw: { registries: ["probe/left"], services: ["*"] },
  };

  it("are shown where they are configured, and can be told to go on only where they stopped", async () => {
    const { ask } = await world({}, { drift });
    expect(await ask("GET", "/v1/withdrawals")).toMatchObject({
      status: 200,
      body: { mode: "dry-run", lastHour: 0, maxPerHour: 20, held: [] },
    });
    const resumed = await ask("POST", "/v1/withdrawals:resume");
    expect(resumed.body).toMatchObject({ code: "SBX_WRITE_REFUSED", error: "they did not stop" });
  });

  it("are no route where they are not configured", async () => {
    const { ask } = await world({});
    expect((await ask("GET", "/v1/withdrawals")).body).toMatchObject({ code: "SBX_NOT_CONFIGURED" });
  });

  it("go on only where this process may take a person's word", async () => {
    const { ask } = await world({}, { drift }, start, () => "two of us");
    expect((await ask("POST", "/v1/withdrawals:resume")).body).toMatchObject({ error: "two of us" });
  });
});

describe("what a person does", () => {
  it("has that person's name", async () => {
    const { act, authors, pass } = await world({ ramp });
    await pass(3 * hour);
    expect((await act("rollback")).status).toBe(200);
    expect((await act("resume")).status).toBe(200);
    expect(authors).toEqual([
      ["ramp-rolled-back", "ann"],
      ["ramp-resumed", "ann"],
    ]);
  });

  it("is refused with the reason where this process may not take it", async () => {
    const { act, ask, migration } = await world({ ramp }, {}, start, () => "two of us");
    expect(await act("rollback")).toMatchObject({
      status: 409,
      body: { code: "SBX_WRITE_REFUSED", error: "two of us" },
    });
    const guard = await ask("POST", "/v1/guards/none:accept");
    expect(guard.body).toMatchObject({ code: "SBX_WRITE_REFUSED" });
    expect((await migration())["ramp"]).toMatchObject({ state: "RUNNING" });
  });
});
