import { describe, expect, it } from "vitest";
import { LoopTurn } from "./loop-turn.ts";
import { Slices, type Steps } from "./slices.ts";

/** Steps that note when they ran, each of which takes some milliseconds. */
function steps(count: number, ms: number) {
  const state = { now: 0, done: 0 };
  function* work(): Steps<string> {
    for (; state.done < count; state.done++) {
      state.now += ms;
      yield;
    }
    return "done";
  }
  return { state, slices: new Slices({ now: () => state.now }, new LoopTurn(() => state.now)), work };
}

describe("work in slices", () => {
  it("is done at once where it fits in one", () => {
    const { slices, work } = steps(3, 1);
    expect(slices.run(work())).toBe("done");
  });

  it("lets the event loop turn after every four milliseconds", async () => {
    const { slices, state, work } = steps(10, 4);
    const seen: number[] = [];
    const watch = () => {
      seen.push(state.done);
      if (state.done < 10) setImmediate(watch);
    };
    const result = slices.run(work());
    expect(result).toBeInstanceOf(Promise);
    watch();
    expect(await result).toBe("done");
    const lengths = seen.map((done, at) => done - (seen[at - 1] ?? 0));
    expect(Math.max(...lengths)).toBeLessThanOrEqual(2);
  });

  it("rejects with what a later step throws, and throws what the first ones do", async () => {
    function* failing(at: number): Steps<undefined> {
      for (let step = 0; ; step++) {
        now += 5;
        if (step === at) throw new Error(`step ${at}`);
        yield;
      }
    }
    let now = 0;
    const slices = new Slices({ now: () => now });
    expect(() => slices.run(failing(0))).toThrow("step 0");
    await expect(slices.run(failing(5))).rejects.toThrow("step 5");
  });

  it("ends a slice when the clock is set back", async () => {
    const { slices, state, work } = steps(10, -1000);
    const result = slices.run(work());
    expect(state.done).toBeLessThan(10);
    expect(await result).toBe("done");
  });
});
