import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { MemoryEngine, MemoryServer } from "../conformance/memory-engine.ts";
import type { EngineCall } from "../conformance/memory-engine.ts";
import { HandClock, settled } from "../testing/hand-clock.ts";
import { Lease } from "./lease.ts";
import type { LeaseOptions } from "./lease.ts";

const times = { ttlMs: 4000, renewMs: 1000, retryMs: 500 };
const never = new AbortController().signal;

let clock: HandClock;
let server: MemoryServer;
let calls: EngineCall[];
let troubles: unknown[];
let open: Lease[];

beforeEach(() => {
  clock = new HandClock();
  server = new MemoryServer(clock);
  calls = [];
  troubles = [];
  open = [];
  fail({});
});

afterEach(async () => {
  fail({});
  for (const lease of open) await lease.release(new Error("the test is over"));
  expect(clock.sleeping).toBe(0);
});

/** Lets calls fail. */
function fail(faults: Partial<Record<EngineCall, "refused" | "unanswered" | "hung">>): void {
  server.fault = (call) => {
    calls.push(call);
    return faults[call];
  };
}

function options(holder: string): LeaseOptions {
  const engine = new MemoryEngine(server);
  return { engine, holder, times, clock, onTrouble: (error) => troubles.push(error), onAnswer: () => undefined };
}

async function acquired(holder = "a", check: () => Promise<string | undefined> = () => Promise.resolve(undefined)) {
  const lease = await Lease.acquire(options(holder), never);
  open.push(lease);
  lease.keep(check);
  return lease;
}

describe("a lease", () => {
  it("stays as long as it is renewed", async () => {
    const lease = await acquired();
    await clock.advance(60_000);
    expect(lease.valid).toBe(true);
    expect(calls.filter((call) => call === "renew")).toHaveLength(60);
  });

  it("ends by its own clock where the engine refuses", async () => {
    const lease = await acquired();
    fail({ renew: "refused" });
    await clock.advance(times.ttlMs - 1);
    expect(lease.valid).toBe(true);
    await clock.advance(1);
    expect(lease.over.reason).toEqual(new Error("the lease was not renewed in time"));
    expect(troubles).toHaveLength(3);
  });

  it("ends by its own clock where the engine never answers", async () => {
    const lease = await acquired();
    fail({ renew: "hung" });
    await clock.advance(times.ttlMs);
    expect(lease.over.aborted).toBe(true);
    await lease.release(new Error("over"));
    expect(clock.sleeping).toBe(0);
  });

  it("ends by its own clock while the check hangs", async () => {
    const lease = await acquired(
      "a",
      () => new Promise((resolve) => lease.over.addEventListener("abort", () => resolve(""))),
    );
    await clock.advance(times.renewMs + times.ttlMs);
    expect(lease.over.aborted).toBe(true);
  });

  it("survives renewals that fail, if one succeeds in time", async () => {
    const lease = await acquired();
    for (let round = 0; round < 5; round++) {
      fail({ renew: "refused" });
      await clock.advance(2000);
      fail({});
      await clock.advance(1000);
    }
    expect(lease.valid).toBe(true);
  });

  it("counts from the question, not from the answer", async () => {
    let answer: (given: boolean) => void = () => undefined;
    const engine = new MemoryEngine(server);
    engine.acquire = () => new Promise((resolve) => (answer = resolve));
    const asked = Lease.acquire({ ...options("a"), engine }, never);
    await clock.advance(3000);
    answer(true);
    const lease = await asked;
    open.push(lease);
    lease.keep(() => Promise.resolve(undefined));
    fail({ renew: "refused" });
    await clock.advance(1000);
    expect(lease.valid).toBe(false);
  });

  it("is not taken from an answer that came when it was over already", async () => {
    const late = options("a");
    let answer: (given: boolean) => void = () => undefined;
    const acquire = late.engine.acquire.bind(late.engine);
    late.engine.acquire = () => new Promise((resolve) => (answer = resolve));
    const asked = Lease.acquire(late, never);
    clock.jump(times.ttlMs);
    late.engine.acquire = acquire;
    answer(true);
    await clock.advance(times.retryMs);
    const lease = await asked;
    open.push(lease);
    expect(lease.valid).toBe(true);
    expect(calls).toEqual(["acquire"]);
  });

  it("is over for a process that slept through its end, before anything else runs", async () => {
    const lease = await acquired();
    clock.jump(times.ttlMs);
    // No timer had its turn yet.
    expect(lease.over.aborted).toBe(false);
    expect(() => lease.assert()).toThrow("the lease was not renewed in time");
    expect(lease.over.aborted).toBe(true);
  });

  it("does not come back by an answer to a renewal that was slept through", async () => {
    const lease = await acquired();
    await clock.advance(999);
    await clock.advance(1);
    clock.jump(times.ttlMs);
    await settled();
    expect(lease.valid).toBe(false);
  });

  it("ends when the engine gave it to another process", async () => {
    const lease = await acquired();
    server.lease = { holder: "b", until: Number.POSITIVE_INFINITY };
    await clock.advance(times.renewMs);
    expect(lease.over.aborted).toBe(true);
    await lease.release(new Error("over"));
    expect(server.lease.holder).toBe("b");
  });

  it("ends when the check finds that what it is for was lost", async () => {
    const lease = await acquired("a", () => Promise.resolve("nothing is there"));
    await clock.advance(times.renewMs);
    expect(lease.over.reason).toEqual(new Error("nothing is there"));
    await lease.release(new Error("over"));
    expect(server.lease).toBeUndefined();
  });

  it("stays when the check fails, because that says nothing", async () => {
    const lease = await acquired("a", () => Promise.reject(new Error("no answer")));
    await clock.advance(10_000);
    expect(lease.valid).toBe(true);
    expect(troubles).toHaveLength(10);
  });

  it("is given back at its release, so that another process has it at once", async () => {
    const lease = await acquired();
    await lease.release(new Error("enough"));
    expect(server.lease).toBeUndefined();
    await acquired("b");
    expect(lease.over.reason).toEqual(new Error("enough"));
  });

  it("runs nothing after its release", async () => {
    const lease = await acquired();
    await lease.release(new Error("enough"));
    const before = calls.length;
    await clock.advance(60_000);
    expect([calls.length, clock.sleeping]).toEqual([before, 0]);
  });

  it("may be released twice, and while the engine refuses", async () => {
    const lease = await acquired();
    fail({ release: "refused" });
    await Promise.all([lease.release(new Error("one")), lease.release(new Error("two"))]);
    expect(calls.filter((call) => call === "release")).toHaveLength(1);
    expect(lease.over.reason).toEqual(new Error("one"));
  });

  it("does not wait long for an engine that never answers at its release", async () => {
    const lease = await acquired();
    fail({ release: "hung" });
    await lease.release(new Error("enough"));
    expect(troubles).toMatchObject([{ name: "TimeoutError" }]);
  });
});

describe("waiting for a lease", () => {
  it("gets it when its holder is gone", async () => {
    const first = await Lease.acquire(options("gone"), never);
    const second = acquired("b");
    await clock.advance(times.ttlMs + times.retryMs);
    expect((await second).valid).toBe(true);
    await first.release(new Error("over"));
    expect(server.lease?.holder).toBe("b");
  });

  it("goes on while the engine refuses, and says so", async () => {
    fail({ acquire: "refused" });
    const lease = acquired();
    await clock.advance(600_000);
    expect(troubles.length).toBeGreaterThan(1000);
    fail({});
    await clock.advance(times.retryMs);
    expect((await lease).valid).toBe(true);
  });

  it.each(["refused", "unanswered", "hung", undefined] as const)(
    "ends at once with its signal, leaving nothing in the engine, where the answer is %s",
    async (fault) => {
      const end = new AbortController();
      fail(fault === undefined ? {} : { acquire: fault });
      const lease = Lease.acquire(options("a"), end.signal);
      lease.catch(() => undefined);
      await settled(1);
      end.abort(new Error("enough"));
      await expect(lease).rejects.toThrow("enough");
      expect([server.lease, clock.sleeping]).toEqual([undefined, 0]);
    },
  );
});
