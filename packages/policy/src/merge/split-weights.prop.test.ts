import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { maxSplitWeight, splitWeights } from "./split-weights.ts";
import type { Member } from "./split-weights.ts";

function members(sizes: readonly number[], weight = (_at: number) => 1): Member[] {
  return sizes.flatMap((size, group) =>
    Array.from({ length: size }, (_, at) => ({ group, weight: weight(at), eligible: true })),
  );
}

/** The sum of the weights of eligible members, by group. */
function totals(all: readonly Member[], weights: readonly number[], groups: number): readonly number[] {
  const sums = Array.from({ length: groups }, () => 0);
  for (const [at, { eligible, group }] of all.entries())
    if (eligible) sums[group] = (sums[group] ?? 0) + (weights[at] ?? 0);
  return sums;
}

const add = (a: number, b: number): number => a + b;
/** Groups with their sizes, shares and weights. */
const anyGroups = (share: fc.Arbitrary<number>, weight: fc.Arbitrary<number>) =>
  fc
    .array(fc.record({ size: fc.integer({ min: 1, max: 200 }), share, weight }), { minLength: 1, maxLength: 4 })
    .map((groups) => ({
      shares: groups.map((group) => group.share),
      all: members(groups.map((group) => group.size)).map((member, at) => ({
        ...member,
        weight: (groups[member.group]?.weight ?? 1) * (1 + (at % 3)),
      })),
    }));

describe("the weights of a split", () => {
  it("are exact for percentages, for every size of two groups", () => {
    for (let first = 1; first <= 200; first += 7) {
      for (let second = 1; second <= 200; second++) {
        const share = (first * 31 + second * 17) % 101;
        const all = members([first, second]);
        const [a = 0, b = 0] = totals(all, splitWeights(all, [100 - share, share]), 2);
        // In integers, so that nothing is rounded away here.
        expect(a * share).toBe(b * (100 - share));
        expect(a + b).toBeGreaterThan(0);
      }
    }
  });

  it("are exact for any shares whose sum in lowest terms is at most the bound", () => {
    const shares = fc.integer({ min: 0, max: Math.floor(maxSplitWeight / 4) });
    fc.assert(
      fc.property(anyGroups(shares, fc.integer({ min: 1, max: 5 })), ({ all, shares }) => {
        const sums = totals(all, splitWeights(all, shares), shares.length);
        const [whole, total] = [shares.reduce(add, 0), sums.reduce(add, 0)];
        expect(sums.map((sum) => sum * whole)).toEqual(shares.map((share) => share * total));
      }),
    );
  });

  it("are off by less than a unit of the total, half a unit for two groups, whatever the shares", () => {
    const share = fc.double({ min: 0.000_001, max: 1000, noNaN: true });
    fc.assert(
      fc.property(anyGroups(share, fc.double({ min: 0.1, max: 10, noNaN: true })), ({ all, shares }) => {
        const sums = totals(all, splitWeights(all, shares), shares.length);
        const [whole, total] = [shares.reduce(add, 0), sums.reduce(add, 0)];
        expect(total).toBeGreaterThanOrEqual(shares.length === 1 ? 1 : maxSplitWeight - shares.length);
        for (const [group, sum] of sums.entries()) {
          const wanted = ((shares[group] ?? 0) / whole) * total;
          // A share below a unit is one unit, which another group gives.
          const small = shares.filter((one) => (one / whole) * total < 1).length;
          expect(Math.abs(sum - wanted)).toBeLessThanOrEqual((shares.length === 2 ? 0.5 : 1) + small + 1e-6);
        }
      }),
    );
  });

  it("never round a share above 0 to nothing, nor go above the bound", () => {
    const share = fc.oneof(
      fc.constantFrom(0, 0.4, 1e-9, 1e9, Number.MAX_VALUE),
      fc.double({ min: 0, max: 100, noNaN: true }),
    );
    fc.assert(
      fc.property(anyGroups(share, fc.constantFrom(0.4, 1, 100, 65_535)), ({ all, shares }) => {
        const weights = splitWeights(all, shares);
        const sums = totals(all, weights, shares.length);
        expect(sums.map((sum) => sum > 0)).toEqual(shares.map((one) => one > 0));
        for (const weight of weights) {
          expect(Number.isInteger(weight)).toBe(true);
          expect(weight).toBeLessThanOrEqual(maxSplitWeight);
        }
      }),
    );
  });

  it("give each endpoint its part of the group's within a unit", () => {
    fc.assert(
      fc.property(
        anyGroups(fc.double({ min: 0.01, max: 100, noNaN: true }), fc.double({ min: 0.4, max: 9, noNaN: true })),
        ({ all, shares }) => {
          const weights = splitWeights(all, shares);
          for (const group of shares.keys()) {
            const own = all.flatMap((member, at) =>
              member.group === group ? [{ ...member, given: weights[at] ?? 0 }] : [],
            );
            const sum = own.map((one) => one.weight).reduce(add, 0);
            const given = own.map((one) => one.given).reduce(add, 0);
            for (const each of own) expect(Math.abs(each.given - (each.weight / sum) * given)).toBeLessThan(1 + 1e-6);
          }
        },
      ),
    );
  });

  it("leave the shares of those that take traffic alone whatever else there is", () => {
    fc.assert(
      fc.property(anyGroups(fc.integer({ min: 0, max: 100 }), fc.constant(1)), fc.nat(50), ({ all, shares }, more) => {
        const others = Array.from({ length: more }, (_, at) => ({
          group: at % shares.length,
          weight: 1 + (at % 4),
          eligible: false,
        }));
        // Without any that takes traffic, all count.
        fc.pre(shares.some((share) => share > 0));
        const weights = splitWeights([...all, ...others], shares);
        expect(weights.slice(0, all.length)).toEqual(splitWeights(all, shares));
        for (const [at, other] of others.entries())
          expect((weights[all.length + at] ?? 0) > 0).toBe((shares[other.group] ?? 0) > 0);
      }),
    );
  });
});

const group = (size: number, group: number, weight = 1, eligible = true): Member[] =>
  Array.from({ length: size }, () => ({ group, weight, eligible }));

describe("the weights of a split in examples", () => {
  it.each([
    { name: "one endpoint each", all: [...group(1, 0), ...group(1, 1)], shares: [90, 10], weights: [9, 1] },
    {
      name: "different counts",
      all: [...group(3, 0), ...group(7, 1)],
      shares: [90, 10],
      weights: [21, 21, 21, 1, 1, 1, 1, 1, 1, 1],
    },
    {
      name: "an endpoint of twice the weight",
      all: [...group(1, 0, 2), ...group(1, 0), ...group(1, 1)],
      shares: [50, 50],
      weights: [2, 1, 3],
    },
    {
      name: "weights that are all 100",
      all: [...group(2, 0, 100), ...group(2, 1, 100)],
      shares: [75, 25],
      weights: [3, 3, 1, 1],
    },
    { name: "decimal shares", all: [...group(1, 0), ...group(1, 1)], shares: [99.6, 0.4], weights: [249, 1] },
    {
      name: "a fractional weight",
      all: [...group(1, 0, 0.4), ...group(1, 1)],
      shares: [50, 50],
      weights: [49_999, 49_999],
    },
    { name: "a share of 0", all: [...group(2, 0), ...group(1, 1)], shares: [0, 100], weights: [0, 0, 1] },
    { name: "an empty group", all: group(2, 1), shares: [90, 10], weights: [1, 1] },
    { name: "an empty group and another share of 0", all: group(2, 1), shares: [90, 0], weights: [0, 0] },
    {
      name: "three groups of which one is empty",
      all: [...group(1, 0), ...group(1, 2)],
      shares: [30, 60, 10],
      weights: [3, 1],
    },
    {
      name: "an endpoint of weight 0",
      all: [...group(1, 0), ...group(1, 0, 0), ...group(1, 1)],
      shares: [50, 50],
      weights: [1, 0, 1],
    },
    {
      name: "an endpoint that takes no traffic beside one that does",
      all: [...group(1, 0), ...group(1, 0, 1, false), ...group(3, 1)],
      shares: [50, 50],
      weights: [3, 3, 1, 1, 1],
    },
    {
      name: "a group that takes no traffic",
      all: [...group(2, 0, 1, false), ...group(3, 1)],
      shares: [80, 20],
      weights: [6, 6, 1, 1, 1],
    },
    {
      name: "no group that takes traffic",
      all: [...group(1, 0, 1, false), ...group(1, 1, 1, false)],
      shares: [80, 20],
      weights: [4, 1],
    },
    { name: "shares that are no numbers", all: group(2, 0), shares: [Number.NaN], weights: [0, 0] },
    { name: "no shares", all: group(2, 0), shares: [], weights: [0, 0] },
  ])("$name", ({ all, shares, weights }) => {
    expect(splitWeights(all, shares)).toEqual(weights);
  });

  it("keeps the share of many endpoints exact where one has nearly all traffic", () => {
    const all = [...group(1, 0), ...group(2000, 1)];
    const weights = splitWeights(all, [99, 1]);
    const [a = 0, b = 0] = totals(all, weights, 2);
    expect(a).toBe(99 * b);
    expect(b).toBeGreaterThan(500);
    expect(new Set(weights.slice(1))).toEqual(new Set([0, 1]));
  });

  it("gives one that takes no traffic at least 1 beside many that share little", () => {
    const all = [...group(1, 0), ...group(2000, 1), ...group(1, 1, 1, false)];
    expect(splitWeights(all, [999, 1]).at(-1)).toBe(1);
  });

  it("is within the bounds for ten thousand endpoints", () => {
    const all = [...group(3, 0), ...group(9997, 1)];
    const weights = splitWeights(all, [12.34, 87.66]);
    const [a = 0, b = 0] = totals(all, weights, 2);
    expect(a * 8766).toBe(b * 1234);
    expect(Math.min(...weights)).toBeGreaterThanOrEqual(1);
    expect(Math.max(...weights)).toBeLessThanOrEqual(maxSplitWeight);
  });
});
