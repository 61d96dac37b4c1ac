import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { backoff } from "./backoff.ts";

describe("backoff", () => {
  it("doubles its limit up to the longest wait and starts anew after a reset", () => {
    const waits = backoff({ firstMs: 100, maxMs: 1000, random: () => 0.999_999 });
    expect([1, 2, 3, 4, 5, 6].map(() => waits.next())).toEqual([100, 200, 400, 800, 1000, 1000]);
    waits.reset();
    expect(waits.next()).toBe(100);
  });

  it("spreads waits over the whole range below the limit, but never waits 0", () => {
    const rolls = [0, 0.25, 0.5];
    const waits = backoff({ firstMs: 100, maxMs: 100, random: () => rolls.shift() ?? 0 });
    expect([waits.next(), waits.next(), waits.next()]).toEqual([1, 25, 50]);
  });

  it("stays a whole number in its range after any number of failures", () => {
    fc.assert(
      fc.property(fc.nat(5000), fc.double({ min: 0, max: 0.999, noNaN: true }), (failures, roll) => {
        const waits = backoff({ random: () => roll });
        let wait = 0;
        for (let failure = 0; failure <= failures; failure++) wait = waits.next();
        expect(Number.isInteger(wait) && wait >= 1 && wait <= 30_000).toBe(true);
      }),
      { numRuns: 50 },
    );
  });
});
