import { describe, it } from "vitest";
import type { EngineUnderTest } from "./engine-under-test.ts";
import { playFaults } from "./play.ts";

/** How long one sequence may take, in milliseconds; most take a few seconds. */
const sequenceWithinMs = 90_000;

/** Declares one test for each seed from 1 on. */
export function describeFaultSequences(name: string, start: () => Promise<EngineUnderTest>, count = 20): void {
  const seeds = Array.from({ length: count }, (_, index) => index + 1);
  describe(`random faults: ${name}`, () => {
    it.each(seeds)(
      "shows only what writers published, and heals, with seed %i",
      async (seed) => {
        await playFaults(start, seed);
      },
      sequenceWithinMs,
    );
  });
}
