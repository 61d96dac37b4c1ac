import { getEventListeners } from "node:events";
import { describe, expect, it } from "vitest";
import { backoff } from "./backoff.ts";
import { FakeClock, RecordingSink, serviceRecord } from "./conformance/index.ts";
import { pollLoop, watchLoop } from "./loops.ts";
import type { RegistryUpdate } from "./registry.ts";
import { SourceError } from "./source-error.ts";

const snapshot: RegistryUpdate = { type: "snapshot", records: [serviceRecord()] };

function setUp() {
  const controller = new AbortController();
  const clock = new FakeClock();
  const sink = new RecordingSink();
  const options = {
    sink,
    clock,
    signal: controller.signal,
    backoff: backoff({ firstMs: 100, maxMs: 400, random: () => 0.999_999 }),
  };
  return { controller, clock, sink, options };
}

/** A read that gives one answer after the other; an error is thrown. */
function answers(...list: readonly (RegistryUpdate | undefined | Error)[]): () => Promise<RegistryUpdate | undefined> {
  let next = 0;
  return () => {
    const answer = list[Math.min(next++, list.length - 1)];
    return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer);
  };
}

describe("pollLoop", () => {
  it("pushes news, says alive where there are none, and pauses in between", async () => {
    const { controller, clock, sink, options } = setUp();
    const read = answers(snapshot, undefined, snapshot, undefined);
    const done = pollLoop({ ...options, read, intervalMs: 1000, jitter: 0 });
    await clock.advance(0);
    expect([sink.updates.length, sink.aliveCount]).toEqual([1, 0]);
    await clock.advance(999);
    expect(sink.aliveCount).toBe(0);
    await clock.advance(1);
    expect([sink.updates.length, sink.aliveCount]).toEqual([1, 1]);
    await clock.advance(2000);
    expect([sink.updates.length, sink.aliveCount]).toEqual([2, 2]);
    controller.abort();
    await done;
    expect(clock.asked).toEqual([1000, 1000, 1000, 1000]);
  });

  it.each([
    [0, 900],
    [0.5, 1000],
    [0.75, 1050],
  ])("moves the pause by the jitter: %s gives %s ms", async (roll, ms) => {
    const { controller, clock, options } = setUp();
    const done = pollLoop({ ...options, read: answers(snapshot), intervalMs: 1000, jitter: 0.1, random: () => roll });
    await clock.advance(0);
    expect(clock.asked[0]).toBeCloseTo(ms);
    controller.abort();
    await done;
  });

  it("tells failures with their problem, backs off, and forgets them after a good read", async () => {
    const { controller, clock, sink, options } = setUp();
    const read = answers(
      new SourceError("AUTH_FAILED", "no"),
      new SyntaxError("not JSON"),
      new Error("ECONNREFUSED"),
      snapshot,
      new Error("again"),
    );
    const done = pollLoop({ ...options, read, intervalMs: 1000, jitter: 0 });
    await clock.advance(1700);
    expect(sink.degradations.map(({ problem }) => problem)).toEqual([
      "AUTH_FAILED",
      "PROTOCOL_ERROR",
      "UNREACHABLE",
      "UNREACHABLE",
    ]);
    expect(clock.asked).toEqual([100, 200, 400, 1000, 100]);
    expect(sink.updates).toHaveLength(1);
    controller.abort();
    await done;
  });

  it.each([
    ["a permanent error", new SourceError("AUTH_FAILED", "gone for good", { permanent: true }), "gone for good"],
    ["a first read without a snapshot", undefined, "the first read of a run gave no snapshot"],
  ])("rejects with %s", async (_, answer, message) => {
    const { sink, options } = setUp();
    await expect(pollLoop({ ...options, read: answers(answer), intervalMs: 1 })).rejects.toThrow(message);
    expect(sink.degradations).toEqual([]);
  });

  it("resolves when aborted during a read, and says nothing of what the abort broke", async () => {
    const { controller, sink, options } = setUp();
    const read = (signal: AbortSignal) =>
      new Promise<undefined>((_, reject) => {
        signal.addEventListener("abort", () => reject(new Error("socket closed")), { once: true });
      });
    const done = pollLoop({ ...options, read, intervalMs: 1000 });
    controller.abort();
    await done;
    expect([sink.updates, sink.degradations]).toEqual([[], []]);
    expect(getEventListeners(options.signal, "abort")).toEqual([]);
  });

  it("does not push what a read brings after the abort", async () => {
    const { controller, sink, options } = setUp();
    const read = () => {
      controller.abort();
      return Promise.resolve(snapshot);
    };
    await pollLoop({ ...options, read, intervalMs: 1000 });
    expect(sink.updates).toEqual([]);
  });

  it("does not begin when it is aborted already", async () => {
    const { controller, options } = setUp();
    controller.abort();
    let reads = 0;
    const read = () => Promise.resolve(++reads > 0 ? snapshot : undefined);
    await pollLoop({ ...options, read, intervalMs: 1000 });
    expect(reads).toBe(0);
  });
});

describe("watchLoop", () => {
  it("backs off after short sessions, failed or not, and follows a long one at once", async () => {
    const { controller, clock, sink, options } = setUp();
    const lengths = [0, -1, 20_000, 0];
    let sessions = 0;
    const session = async (signal: AbortSignal): Promise<void> => {
      const length = lengths[Math.min(sessions++, lengths.length - 1)] ?? 0;
      if (length < 0) throw new SourceError("PROTOCOL_ERROR", "half a list");
      if (length > 0) await clock.sleep(length, signal);
    };
    const done = watchLoop({ ...options, session });
    await clock.advance(0);
    expect(sessions).toBe(1);
    await clock.advance(300);
    expect(sessions).toBe(3);
    expect(sink.degradations.map(({ problem }) => problem)).toEqual(["PROTOCOL_ERROR"]);
    await clock.advance(20_000);
    expect(sessions).toBe(4);
    expect(clock.asked).toEqual([100, 200, 20_000, 100]);
    controller.abort();
    await done;
    expect(clock.pending).toEqual([]);
  });

  it("rejects with a permanent error and resolves when aborted during a session", async () => {
    const { controller, clock, options } = setUp();
    const gone = new SourceError("UNREACHABLE", "no such datacenter", { permanent: true });
    await expect(watchLoop({ ...options, session: () => Promise.reject(gone) })).rejects.toBe(gone);
    const done = watchLoop({ ...options, session: (signal) => clock.sleep(1, signal) });
    controller.abort();
    await done;
  });
});
