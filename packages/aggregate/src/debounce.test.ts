import { FakeClock } from "@signalbox/registry/conformance";
import { afterEach, describe, expect, it } from "vitest";
import { Debounce } from "./debounce.ts";
import { settled } from "./testing/settled.ts";

let end = new AbortController();
afterEach(() => {
  end.abort();
  end = new AbortController();
});

/** Notes the time of each release, from the start of the test. */
function watched(options = { quietMs: 50, maxMs: 1000 }) {
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

  it("rejects with the reason of the signal and leaves no sleep", async () => {
    const clock = new FakeClock();
    const debounce = new Debounce(clock, { quietMs: 50, maxMs: 1000 });
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
