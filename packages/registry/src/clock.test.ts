import { getEventListeners } from "node:events";
import { describe, expect, it } from "vitest";
import { systemClock } from "./clock.ts";

describe("systemClock", () => {
  it("sleeps as long as it is told", async () => {
    const before = performance.now();
    await systemClock.sleep(10, new AbortController().signal);
    expect(performance.now() - before).toBeGreaterThanOrEqual(9);
  });

  it("rejects with the signal's reason, at once, and leaves no listener", async () => {
    const controller = new AbortController();
    const reason = new Error("enough");
    const slept = systemClock.sleep(3_600_000, controller.signal);
    controller.abort(reason);
    await expect(slept).rejects.toBe(reason);
    await expect(systemClock.sleep(1, controller.signal)).rejects.toBe(reason);
    expect(getEventListeners(controller.signal, "abort")).toEqual([]);
  });
});
