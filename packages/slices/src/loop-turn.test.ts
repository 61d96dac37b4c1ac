import { setImmediate as nextTurn } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { LoopTurn } from "./loop-turn.ts";
import { Slices, type Steps } from "./slices.ts";

describe("one turn of the event loop", () => {
  it("is full after four milliseconds for whoever had a little of it, and new in the next turn", async () => {
    let now = 0;
    const turn = new LoopTurn(() => now);
    turn.enter();
    now += 3.9;
    expect(turn.isFull(3)).toBe(false);
    now += 0.1;
    expect([turn.isFull(1), turn.isFull(0.9)]).toEqual([true, false]);
    await nextTurn();
    expect(turn.isFull(3)).toBe(false);
  });

  it("has little more than one slice, whichever parts work in it", async () => {
    let now = 0;
    const loop = new LoopTurn(() => now);
    let steps = 0;
    function* work(): Steps<undefined> {
      for (let step = 0; step < 100; step++) {
        now += 0.5;
        steps++;
        yield;
      }
      return undefined;
    }
    let longest = 0;
    let last = 0;
    let watching = true;
    const watch = (): void => {
      longest = Math.max(longest, now - last);
      last = now;
      if (watching) setImmediate(watch);
    };
    watch();
    await Promise.all([1, 2, 3, 4].map(async () => new Slices({ now: () => now }, loop).run(work())));
    watching = false;
    expect(steps).toBe(400);
    expect(longest).toBeLessThanOrEqual(4 + 3);
  });

  it("keeps nobody waiting for ever, though others fill every turn", async () => {
    let now = 0;
    const loop = new LoopTurn(() => now);
    let hogging = true;
    const hog = (): void => {
      loop.enter();
      now += 6;
      if (hogging) loop.later(hog);
    };
    hog();
    function* work(): Steps<string> {
      for (let step = 0; step < 20; step++) {
        now += 1;
        yield;
      }
      return "done";
    }
    expect(await new Slices({ now: () => now }, loop).run(work())).toBe("done");
    hogging = false;
  });
});
