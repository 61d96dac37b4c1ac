import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { slicedActions, SlicedWorld, type SlicedSetting } from "../testing/sliced-world.ts";

/** More than one step of anything. */
const names = Array.from({ length: 300 }, (_, at) => `service-${at}.a-namespace.example`);
const setting: SlicedSetting = {
  names,
  lists: [names, names.slice(0, 200), names.slice(0, 2), ["*"]],
  clients: 2,
};
const action = fc.oneof(...Object.values(slicedActions(setting)));

describe.each(["sotw", "delta"] as const)("%s clients for whom responses are made in slices", (variant) => {
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
      { numRuns: 40 },
    );
  }, 60_000);
});
