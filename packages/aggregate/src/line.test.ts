import { setImmediate as nextTurn } from "node:timers/promises";
import type { Steps } from "@signalbox/slices";
import { describe, expect, it } from "vitest";
import { Line } from "./line.ts";

/** A line on a clock on which each step takes so long, and work that notes its steps. */
function standing({ stepMs }: { readonly stepMs: number }) {
  let now = 0;
  const done: string[] = [];
  const line = new Line({ now: () => now });
  function* work(name: string, steps: number, during: (step: number) => void = () => undefined): Steps<string> {
    for (let step = 1; step <= steps; step++) {
      now += stepMs;
      done.push(`${name}${step}`);
      during(step);
      if (step < steps) yield;
    }
    return name;
  }
  return { done, line, work };
}

describe("work in line", () => {
  it("is done at once where nobody else is at work and it fits in a slice", () => {
    const { line, work } = standing({ stepMs: 1 });
    expect(line.run(work("a", 3))).toBe("a");
    expect(line.isIdle).toBe(true);
  });

  it("waits for what came before it, however short it is", async () => {
    const { done, line, work } = standing({ stepMs: 5 });
    const long = line.run(work("a", 4));
    const short = line.run(work("b", 1));
    expect(line.isIdle).toBe(false);
    expect([long, short].every((result) => result instanceof Promise)).toBe(true);
    expect(await Promise.all([long, short])).toEqual(["a", "b"]);
    expect(done).toEqual(["a1", "a2", "a3", "a4", "b1"]);
    expect(line.isIdle).toBe(true);
  });

  it("lets the event loop turn, also between many short pieces", async () => {
    const { done, line, work } = standing({ stepMs: 5 });
    const first = line.run(work("first.", 3));
    const all = Array.from({ length: 20 }, (_, index) => line.run(work(`${index}.`, 1)));
    const seen = [done.length];
    while (!line.isIdle) {
      await nextTurn();
      seen.push(done.length);
    }
    await Promise.all([first, ...all]);
    const lengths = seen.map((count, at) => count - (seen[at - 1] ?? 0));
    expect(Math.max(...lengths)).toBeLessThanOrEqual(2);
    expect(done).toHaveLength(23);
  });

  it("that a step asks for comes after the work of that step", async () => {
    const { done, line, work } = standing({ stepMs: 1 });
    const inner: (string | Promise<string>)[] = [];
    void line.run(
      work("a", 2, (step) => {
        if (step === 1) inner.push(line.run(work("b", 1)));
      }),
    );
    expect(done).toEqual(["a1", "a2", "b1"]);
    expect(await Promise.all(inner.map(async (one) => await one))).toEqual(["b"]);
  });

  it("that fails is told to whoever asked for it, and what stands behind it goes on", async () => {
    const { done, line, work } = standing({ stepMs: 5 });
    const failing = (at: number) =>
      work("a", 5, (step) => {
        if (step === at) throw new Error(`step ${at}`);
      });
    expect(() => line.run(failing(1))).toThrow("step 1");
    const late = line.run(failing(4));
    const behind = line.run(work("b", 1));
    await expect(late).rejects.toThrow("step 4");
    expect(await behind).toBe("b");
    expect(done).toEqual(["a1", "a1", "a2", "a3", "a4", "b1"]);
  });

  it("can be finished at once by whoever cannot wait, and gives the same", async () => {
    const { done, line, work } = standing({ stepMs: 5 });
    const results = [line.run(work("a", 5)), line.run(work("b", 3))];
    line.finish();
    expect(line.isIdle).toBe(true);
    expect(done).toEqual(["a1", "a2", "a3", "a4", "a5", "b1", "b2", "b3"]);
    expect(line.run(work("c", 1))).toBe("c");
    expect(await Promise.all(results.map(async (one) => await one))).toEqual(["a", "b"]);
    expect(done).toHaveLength(9);
  });

  it("is not finished from within one of its own steps", async () => {
    const { done, line, work } = standing({ stepMs: 1 });
    await line.run(
      work("a", 3, (step) => {
        if (step === 2) line.finish();
      }),
    );
    expect(done).toEqual(["a1", "a2", "a3"]);
  });
});
