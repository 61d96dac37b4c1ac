import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Hearing } from "./hearing.ts";

/** Reads of a second each, five seconds apart, until the given time. */
function heardUntil(end: number, hearing = new Hearing(), begin = 0): Hearing {
  for (let at = begin; at <= end; at += 5) hearing.heard(at * 1000, (at + 1) * 1000);
  return hearing;
}

const clear = (hearing: Hearing, leaseSeconds: number, at: number): boolean =>
  hearing.wasClear(leaseSeconds * 1000, at * 1000);

describe("Hearing", () => {
  it("is clear for a lease when every read within it was good", () => {
    const hearing = heardUntil(120);
    expect(clear(hearing, 90, 121)).toBe(true);
    expect(clear(hearing, 90, 91)).toBe(true);
    expect(clear(hearing, 90, 90)).toBe(false);
    expect(clear(new Hearing(), 0, 0)).toBe(false);
  });

  it("is not clear for as long as a lease after a read that failed", () => {
    const hearing = heardUntil(200);
    hearing.failed();
    heardUntil(300, hearing, 205);
    expect(clear(hearing, 90, 290)).toBe(false);
    expect(clear(hearing, 90, 296)).toBe(true);
    // What ended before it was noticed keeps being what it was.
    expect(clear(hearing, 90, 210)).toBe(false);
  });

  it("is not clear after a read that took more than a third of the lease, or a pause longer than it", () => {
    const slow = heardUntil(100);
    slow.heard(105_000, 117_000);
    heardUntil(300, slow, 120);
    expect(clear(slow, 30, 130)).toBe(false);
    expect(clear(slow, 30, 150)).toBe(true);
    expect(clear(slow, 90, 130)).toBe(true);
    const rare = heardUntil(100);
    rare.heard(140_000, 140_500);
    expect(clear(rare, 30, 141)).toBe(false);
    expect(clear(rare, 90, 141)).toBe(true);
  });

  it("vouches for nothing that it had to forget", () => {
    const hearing = new Hearing();
    let at = 0;
    for (let pause = 100; pause > 0; pause--) hearing.heard((at += pause * 1000), at);
    expect(clear(hearing, 60, at / 1000)).toBe(true);
    expect(clear(hearing, 3000, at / 1000)).toBe(false);
  });

  it("says what all silences together say, in bounded memory", () => {
    const reads = fc.array(fc.tuple(fc.nat(60), fc.nat(20)), { minLength: 1, maxLength: 40 });
    fc.assert(
      fc.property(reads, fc.nat(100), fc.nat(1000), (pauses, lease, at) => {
        const hearing = new Hearing();
        const ends: { readonly end: number; readonly ms: number }[] = [];
        let now = 0;
        let last: number | undefined;
        for (const [pause, took] of pauses) {
          hearing.heard(now + pause, now + pause + took);
          const end = now + pause + took;
          ends.push({ end, ms: Math.max(3 * took, end - (last ?? end)) });
          last = now = end;
        }
        const from = at - lease;
        const expected = (ends[0]?.end ?? 0) <= from && ends.every(({ end, ms }) => end < from || ms <= lease);
        expect(hearing.wasClear(lease, at)).toBe(expected);
      }),
      { numRuns: 300 },
    );
  });
});
