import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Turns } from "../turns.ts";
import { Arrivals } from "./arrivals.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** Arrivals that note who began, and wait to be told that somebody has arrived. */
function world() {
  const arrivals = new Arrivals(new Turns(() => 0), { max: 2, patienceMs: 20, longestMs: 50 });
  const began: string[] = [];
  const arrived = new Map<string, () => void>();
  const come = (...names: readonly string[]): void => {
    for (const name of names)
      arrivals.take((done) => {
        began.push(name);
        arrived.set(name, done);
      });
  };
  return { began, come, arrive: (name: string) => arrived.get(name)?.() };
}

describe("connections that come together", () => {
  it("begin a few at a time, first come, first served", () => {
    const { arrive, began, come } = world();
    come("a", "b", "c", "d");
    expect(began).toEqual(["a", "b"]);
    arrive("b");
    expect(began).toEqual(["a", "b", "c"]);
    arrive("a");
    expect(began).toEqual(["a", "b", "c", "d"]);
  });

  it("do not wait for those that say nothing", () => {
    const { began, come } = world();
    come("a", "b", "c", "d", "e");
    vi.advanceTimersByTime(19);
    expect(began).toEqual(["a", "b"]);
    vi.advanceTimersByTime(1);
    expect(began).toEqual(["a", "b", "c", "d"]);
    vi.advanceTimersByTime(20);
    expect(began).toEqual(["a", "b", "c", "d", "e"]);
  });

  it("count once, however often they say that they have arrived", () => {
    const { arrive, began, come } = world();
    come("a", "b", "c", "d");
    arrive("a");
    arrive("a");
    vi.advanceTimersByTime(19);
    arrive("a");
    expect(began).toEqual(["a", "b", "c"]);
    vi.advanceTimersByTime(1);
    expect(began).toEqual(["a", "b", "c", "d"]);
    expect(vi.getTimerCount()).toBe(1);
  });

  it("do not wait for ever behind many that say nothing", () => {
    const { began, come } = world();
    come(...Array.from({ length: 100 }, (_, at) => `silent ${String(at)}`), "late");
    vi.advanceTimersByTime(49);
    expect(began).toHaveLength(6);
    vi.advanceTimersByTime(11);
    expect(began).toHaveLength(101);
  });

  it("may be gone, however many they are", () => {
    const arrivals = new Arrivals(new Turns(() => 0), { max: 2, patienceMs: 20, longestMs: 50 });
    let begun = 0;
    // The first two are waited for.
    for (let at = 0; at < 100_000; at++)
      arrivals.take((arrived) => {
        begun++;
        if (begun > 2) arrived();
      });
    expect(begun).toBe(2);
    vi.advanceTimersByTime(20);
    expect(begun).toBe(100_000);
  });

  it("leave no timer behind when they have arrived", () => {
    const { arrive, come } = world();
    come("a", "b");
    arrive("a");
    arrive("b");
    expect(vi.getTimerCount()).toBe(0);
  });
});
