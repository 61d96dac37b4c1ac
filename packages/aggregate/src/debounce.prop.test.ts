import fc from "fast-check";
import { FakeClock } from "@signalbox/registry/conformance";
import { describe, expect, it } from "vitest";
import { Debounce } from "./debounce.ts";
import type { ChangeKind } from "./debounce.ts";
import { settled } from "./testing/settled.ts";

interface Change {
  /** Milliseconds after the one before. */
  readonly afterMs: number;
  readonly kind: ChangeKind;
  /** What publishing takes when this is the newest change in it. */
  readonly costMs: number;
}

const changes: fc.Arbitrary<readonly Change[]> = fc.array(
  fc.record({
    afterMs: fc.oneof({ weight: 4, arbitrary: fc.nat(20) }, fc.nat(120)),
    kind: fc.constantFrom("any" as const, "endpoints" as const),
    costMs: fc.oneof({ weight: 4, arbitrary: fc.nat(3) }, fc.nat(100)),
  }),
  { maxLength: 40 },
);

const options = fc.record({
  quietMs: fc.nat(60),
  maxMs: fc.integer({ min: 60, max: 300 }),
  endpointsMaxMs: fc.nat(120),
});

interface Waiting extends Change {
  readonly at: number;
  readonly sinceLast: number;
}

interface Release {
  readonly at: number;
  readonly held: readonly Waiting[];
  /** Until when it had to wait for what the release before it took. */
  readonly rested: number;
}

/** All releases for these changes, with what was in each. */
async function releasesOf(given: readonly Change[], debounce: Debounce, clock: FakeClock): Promise<readonly Release[]> {
  const end = new AbortController();
  const releases: Release[] = [];
  let held: Waiting[] = [];
  let rested = Number.NEGATIVE_INFINITY;
  const watch = async () => {
    for (;;) {
      await debounce.due(end.signal);
      releases.push({ at: clock.now(), held, rested });
      const costMs = held.at(-1)?.costMs ?? 0;
      held = [];
      debounce.spent(costMs);
      rested = clock.now() + 4 * costMs;
    }
  };
  const watching = watch().catch(() => {});
  let sinceLast = Number.POSITIVE_INFINITY;
  for (const change of given) {
    await clock.advance(change.afterMs);
    sinceLast += change.afterMs;
    held.push({ ...change, at: clock.now(), sinceLast });
    debounce.touch(change.kind);
    sinceLast = 0;
    await settled();
  }
  await clock.advance(10_000);
  end.abort();
  await watching;
  return releases;
}

describe("whatever changes come", () => {
  it("each one is released, in their order, and none waits for longer than its window", async () => {
    await fc.assert(
      fc.asyncProperty(changes, options, async (given, { endpointsMaxMs, maxMs, quietMs }) => {
        const clock = new FakeClock();
        const releases = await releasesOf(given, new Debounce(clock, { quietMs, maxMs, endpointsMaxMs }), clock);
        expect(releases.flatMap(({ held }) => held)).toMatchObject(given);
        for (const { at, held, rested } of releases)
          for (const change of held) {
            const windowMs = change.kind === "endpoints" ? Math.min(endpointsMaxMs, maxMs) : maxMs;
            const latest = Math.max(change.at + windowMs, Math.min(rested, change.at + maxMs));
            expect(at).toBeLessThanOrEqual(latest);
          }
      }),
    );
  });

  it("the first one after quiet is released at once where publishing takes no time", async () => {
    await fc.assert(
      fc.asyncProperty(changes, options, async (given, { endpointsMaxMs, maxMs, quietMs }) => {
        const clock = new FakeClock();
        const free = given.map((change) => ({ ...change, costMs: 0 }));
        const releases = await releasesOf(free, new Debounce(clock, { quietMs, maxMs, endpointsMaxMs }), clock);
        for (const { at, held } of releases)
          for (const change of held) if (change.sinceLast >= quietMs) expect(at).toBe(change.at);
      }),
    );
  });

  it("what is gathered waits until publishing had four times as long a rest, but never beyond the maximum", async () => {
    await fc.assert(
      fc.asyncProperty(changes, options, async (given, { endpointsMaxMs, maxMs, quietMs }) => {
        const clock = new FakeClock();
        const releases = await releasesOf(given, new Debounce(clock, { quietMs, maxMs, endpointsMaxMs }), clock);
        for (const { at, held, rested } of releases) {
          const [first] = held;
          if (first === undefined || at === first.at) continue;
          expect(at).toBeGreaterThanOrEqual(Math.min(rested, first.at + maxMs));
        }
      }),
    );
  });
});
