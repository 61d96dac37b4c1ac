import { describe, expect, it } from "vitest";
import { sequenceOf } from "./steps.ts";
import type { Step } from "./steps.ts";
import { StoppableClock } from "./stoppable-clock.ts";

const seeds = Array.from({ length: 200 }, (_, index) => index + 1);

describe("a fault sequence", () => {
  it("is the same for the same seed, and another one for another", () => {
    expect(sequenceOf(7)).toEqual(sequenceOf(7));
    expect(new Set(seeds.map((seed) => JSON.stringify(sequenceOf(seed)))).size).toBe(seeds.length);
  });

  it("has every kind of fault in the first 20 seeds, which the tests play", () => {
    const kind = (step: Step): string => ("what" in step ? `${step.type} ${step.what}` : step.type);
    const kinds = new Set(seeds.slice(0, 20).flatMap((seed) => sequenceOf(seed).steps.map(kind)));
    for (const what of ["kill", "restart", "freeze", "thaw", "wipe", "delete-log", "truncate-log"])
      expect(kinds).toContain(`engine ${what}`);
    for (const what of ["cut", "block", "slow"]) expect(kinds).toContain(`link ${what}`);
    for (const other of ["writer kill", "writer stop", "publisher kill", "zombie", "zombies-end", "links-up"])
      expect(kinds).toContain(other);
  });

  it("breaks a log only while its server runs", () => {
    for (const seed of seeds) {
      let runs = true;
      for (const step of sequenceOf(seed).steps) {
        if (step.type !== "engine") continue;
        if (!["restart", "thaw"].includes(step.what)) expect(runs).toBe(true);
        runs = !["kill", "freeze"].includes(step.what);
      }
    }
  });
});

describe("a clock that can be stopped", () => {
  it("wakes nobody while it stands still, and counts no time", async () => {
    const clock = new StoppableClock();
    const { signal } = new AbortController();
    await clock.sleep(1, signal);
    clock.stop();
    const stoppedAt = clock.now();
    let awake = false;
    const sleeping = clock.sleep(1, signal).then(() => (awake = true));
    await new StoppableClock().sleep(30, signal);
    expect([awake, clock.now()]).toEqual([false, stoppedAt]);
    clock.go();
    await sleeping;
    expect(clock.now()).toBeGreaterThan(stoppedAt);
  });

  it("lets a sleeper go whose signal aborts, also while it stands still", async () => {
    const clock = new StoppableClock();
    const end = new AbortController();
    clock.stop();
    const sleeping = clock.sleep(1, end.signal);
    const reason = new Error("enough");
    await new StoppableClock().sleep(20, new AbortController().signal);
    end.abort(reason);
    await expect(sleeping).rejects.toBe(reason);
  });
});
