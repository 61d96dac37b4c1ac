import { describe, expect, it } from "vitest";
import { FakeClock } from "./conformance/fake-clock.ts";
import { pause } from "./pause.ts";

describe("a pause", () => {
  it("lasts as long as it should", async () => {
    const clock = new FakeClock();
    let over = false;
    const pausing = pause(100, clock, new AbortController().signal).then(() => (over = true));
    await clock.advance(99);
    expect(over).toBe(false);
    await clock.advance(1);
    await pausing;
  });

  it("ends early without an error when the signal aborts, and is none after that", async () => {
    const clock = new FakeClock();
    const end = new AbortController();
    const pausing = pause(100, clock, end.signal);
    end.abort(new Error("stop"));
    await pausing;
    await pause(100, clock, end.signal);
    expect(clock.asked).toEqual([100]);
  });

  it("passes on what is wrong with the clock", async () => {
    const clock = { now: () => 0, sleep: () => Promise.reject(new Error("broken")) };
    await expect(pause(1, clock, new AbortController().signal)).rejects.toThrow("broken");
  });
});
