import { FakeClock } from "@signalbox/registry/conformance";
import { afterEach, describe, expect, it } from "vitest";
import { Debounce } from "./debounce.ts";
import type { ChangeKind } from "./debounce.ts";
import { defaultDebounce } from "./options.ts";
import type { DebounceOptions } from "./options.ts";
import { settled } from "./testing/settled.ts";

let end = new AbortController();
afterEach(() => {
  end.abort();
  end = new AbortController();
});

/** Notes the time of each release, from the start of the test. */
function watched(given: Partial<DebounceOptions> = {}) {
  const options = { ...defaultDebounce, ...given };
  const clock = new FakeClock();
  const start = clock.now();
  const debounce = new Debounce(clock, options);
  const releases: number[] = [];
  const watch = async () => {
    for (;;) {
      await debounce.due(end.signal);
      releases.push(clock.now() - start);
    }
  };
  watch().catch(() => {});
  return { clock, debounce, releases };
}

/** Changes of one kind at equal distances, from one time to another. */
function every(stepMs: number, from: number, to: number, kind: ChangeKind): [number, ChangeKind][] {
  const changes: [number, ChangeKind][] = [];
  for (let at = from; at <= to; at += stepMs) changes.push([at, kind]);
  return changes;
}

describe("the debounce", () => {
  it.each([
    { name: "a lone change", at: [0], released: [0] },
    { name: "changes apart", at: [0, 50, 100], released: [0, 50, 100] },
    { name: "two close changes", at: [0, 10], released: [0, 60] },
    { name: "three close changes, of which the last two are one storm", at: [0, 10, 40], released: [0, 90] },
    { name: "a lone change after a storm", at: [0, 10, 110], released: [0, 60, 110] },
    { name: "a change just after a storm", at: [0, 10, 70], released: [0, 60, 70] },
  ])("releases $name in time", async ({ at, released }) => {
    const { clock, debounce, releases } = watched();
    let now = 0;
    for (const time of at) {
      await clock.advance(time - now);
      now = time;
      debounce.touch();
      await settled();
    }
    await clock.advance(5000);
    expect(releases).toEqual(released);
  });

  it("releases an endless storm once in each maximum", async () => {
    const { clock, debounce, releases } = watched({ quietMs: 50, maxMs: 200 });
    for (let i = 0; i < 100; i++) {
      debounce.touch();
      await clock.advance(10);
    }
    expect(releases).toEqual([0, 210, 410, 610, 810]);
  });

  it("takes the changes of one turn as one", async () => {
    const { clock, debounce, releases } = watched();
    for (let i = 0; i < 10; i++) debounce.touch();
    await clock.advance(5000);
    expect(releases).toEqual([0]);
  });

  it("does not wait for a time that the clock, set back, will not see for long", async () => {
    const { clock, debounce, releases } = watched();
    debounce.touch();
    await settled();
    await clock.advance(-3_600_000);
    debounce.touch();
    await settled();
    expect(releases).toEqual([0, -3_600_000]);
  });

  it.each<{ name: string; options?: Partial<DebounceOptions>; at: [number, ChangeKind][]; released: number[] }>([
    { name: "a lone one", at: [[0, "endpoints"]], released: [0] },
    {
      name: "those apart",
      at: [
        [0, "endpoints"],
        [50, "endpoints"],
      ],
      released: [0, 50],
    },
    { name: "a storm of them", at: every(10, 0, 190, "endpoints"), released: [0, 60, 110, 160, 210] },
    {
      name: "other changes with them",
      at: [...every(10, 0, 100, "any"), [100, "endpoints"], [110, "any"]],
      released: [0, 150],
    },
    { name: "a storm of other changes without any", at: every(10, 0, 190, "any"), released: [0, 240] },
    {
      name: "at least as soon as all others",
      options: { endpointsMaxMs: 500, maxMs: 70 },
      at: every(10, 0, 150, "endpoints"),
      released: [0, 80, 150, 200],
    },
    {
      name: "one amid the wait for quiet",
      options: { endpointsMaxMs: 5 },
      at: [
        [0, "any"],
        [10, "any"],
        [12, "endpoints"],
      ],
      released: [0, 17],
    },
    {
      name: "each one, where they are not gathered",
      options: { endpointsMaxMs: 0 },
      at: every(10, 0, 40, "endpoints"),
      released: [0, 10, 20, 30, 40],
    },
  ])("releases changes of endpoints soon: $name", async ({ options, at, released }) => {
    const { clock, debounce, releases } = watched(options);
    let now = 0;
    for (const [time, kind] of at) {
      await clock.advance(time - now);
      now = time;
      debounce.touch(kind);
      await settled();
    }
    await clock.advance(5000);
    expect(releases).toEqual(released);
  });

  it.each([
    { name: "takes no time", spentMs: 0, next: 60 },
    { name: "takes less than a fifth of the window", spentMs: 10, next: 60 },
    { name: "takes long", spentMs: 20, next: 80 },
    { name: "takes longer than the maximum allows for", spentMs: 400, next: 1010 },
  ])("gathers a storm for four times as long as publishing took: $name", async ({ spentMs, next }) => {
    const { clock, debounce, releases } = watched();
    debounce.touch("endpoints");
    await settled();
    debounce.spent(spentMs / 2);
    debounce.spent(spentMs / 2);
    for (let i = 0; i < 130; i++) {
      await clock.advance(10);
      if (releases.length < 2) debounce.touch("endpoints");
    }
    expect(releases).toEqual([0, next]);
  });

  it("forgets how long publishing took with the next release", async () => {
    const { clock, debounce, releases } = watched();
    debounce.touch("endpoints");
    await settled();
    debounce.spent(100);
    for (let i = 0; i < 60; i++) {
      await clock.advance(10);
      debounce.touch("endpoints");
    }
    expect(releases).toEqual([0, 400, 450, 500, 550, 600]);
  });

  it("takes what comes after a long publication for a part of the storm, because nobody was heard meanwhile", async () => {
    const { clock, debounce, releases } = watched();
    debounce.touch("endpoints");
    await settled();
    await clock.advance(100);
    debounce.spent(100);
    debounce.touch("endpoints");
    await clock.advance(1000);
    // 100 ms of publishing, then a pause of 400 ms.
    expect(releases).toEqual([0, 500]);
  });

  it("does not delay a lone change after a long publication", async () => {
    const { clock, debounce, releases } = watched();
    debounce.touch();
    await settled();
    await clock.advance(100);
    debounce.spent(100);
    await clock.advance(50);
    debounce.touch();
    await clock.advance(1000);
    expect(releases).toEqual([0, 150]);
  });

  it("goes on when the clock is set back while a storm is gathered", async () => {
    const { clock, debounce, releases } = watched();
    await clock.advance(10);
    debounce.touch();
    await settled();
    debounce.spent(0);
    debounce.touch();
    await settled();
    await clock.advance(-3_600_000);
    // Wakes it, as the end of a real sleep would.
    debounce.touch("endpoints");
    await settled();
    await clock.advance(2000);
    expect(releases).toHaveLength(2);
  });

  it("rejects with the reason of the signal and leaves no sleep", async () => {
    const clock = new FakeClock();
    const debounce = new Debounce(clock, defaultDebounce);
    debounce.touch();
    await debounce.due(end.signal);
    debounce.touch();
    const due = debounce.due(end.signal);
    await settled();
    expect(clock.pending.length).toBe(1);
    end.abort(new Error("over"));
    await expect(due).rejects.toThrow("over");
    expect(clock.pending.length).toBe(0);
  });
});
