import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { slicedActions, SlicedWorld, type SlicedSetting } from "../testing/sliced-world.ts";

function settingOf(count: number): SlicedSetting {
  const names = Array.from({ length: count }, (_, at) => `service-${at}.a-namespace.example`);
  return { names, lists: [names, names.slice(0, 200), names.slice(0, 2), ["*"]], clients: 2 };
}

describe.each([
  // More than one step of anything.
  { variant: "sotw", count: 300, numRuns: 40 },
  { variant: "delta", count: 300, numRuns: 40 },
  // So many that a change of all of them is taken in later, in steps.
  { variant: "sotw", count: 1_000, numRuns: 15 },
  { variant: "delta", count: 1_000, numRuns: 15 },
] as const)("%s clients of $count resources for whom work is done in slices", ({ count, numRuns, variant }) => {
  const setting = settingOf(count);
  const action = fc.oneof(...Object.values(slicedActions(setting)));

  it("hold in the end what they would hold if everything were done at once", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(action, { minLength: 3, maxLength: 16 }),
        fc.constantFrom(0.4, 1.5, 9),
        async (steps, stepMs) => {
          const [sliced, whole] = [new SlicedWorld(variant, stepMs, setting), new SlicedWorld(variant, 0, setting)];
          for (const step of steps) for (const world of [sliced, whole]) await world.run(step);
          expect(await sliced.settle()).toEqual(await whole.settle());
        },
      ),
      { numRuns },
    );
  }, 60_000);
});
