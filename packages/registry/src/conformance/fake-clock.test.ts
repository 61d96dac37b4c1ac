import { getEventListeners } from "node:events";
import { describe, expect, it } from "vitest";
import { FakeClock } from "./fake-clock.ts";

const never = new AbortController().signal;

describe("FakeClock", () => {
  it("wakes sleepers in the order in which they are due, at the time when they are due", async () => {
    const clock = new FakeClock(1000);
    const woken: [string, number][] = [];
    const sleeper = async (name: string, ms: number): Promise<void> => {
      await clock.sleep(ms, never);
      woken.push([name, clock.now()]);
    };
    const all = [sleeper("late", 30), sleeper("early", 10), sleeper("early too", 10), sleeper("later", 31)];
    expect(clock.pending).toEqual([
      { at: 1010, ms: 10 },
      { at: 1010, ms: 10 },
      { at: 1030, ms: 30 },
      { at: 1031, ms: 31 },
    ]);
    await clock.advance(30);
    expect(woken).toEqual([
      ["early", 1010],
      ["early too", 1010],
      ["late", 1030],
    ]);
    expect(clock.now()).toBe(1030);
    await clock.advance(1);
    await Promise.all(all);
  });

  it("wakes sleeps that begin while time moves on", async () => {
    const clock = new FakeClock(0);
    const times: number[] = [];
    const ticking = (async (): Promise<void> => {
      for (let count = 0; count < 3; count++) {
        await clock.sleep(10, never);
        times.push(clock.now());
      }
    })();
    await clock.advance(35);
    await ticking;
    expect([times, clock.now(), clock.asked]).toEqual([[10, 20, 30], 35, [10, 10, 10]]);
  });

  it("leaves nothing behind when a sleep is aborted or ends", async () => {
    const clock = new FakeClock();
    const controller = new AbortController();
    const ended = clock.sleep(1, controller.signal);
    await clock.advance(1);
    await ended;
    expect(getEventListeners(controller.signal, "abort")).toEqual([]);
    const reason = new Error("enough");
    const slept = clock.sleep(5, controller.signal);
    controller.abort(reason);
    await expect(slept).rejects.toBe(reason);
    await expect(clock.sleep(5, controller.signal)).rejects.toBe(reason);
    expect(clock.pending).toEqual([]);
    expect(getEventListeners(controller.signal, "abort")).toEqual([]);
  });

  it("moves to the next sleeper, and says when nobody sleeps", async () => {
    const clock = new FakeClock(0);
    const slept = clock.sleep(60_000, never);
    expect(await clock.advanceToNext()).toBe(true);
    await slept;
    expect(clock.now()).toBe(60_000);
    expect(await clock.advanceToNext()).toBe(false);
  });
});
