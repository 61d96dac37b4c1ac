import { describe, expect, it } from "vitest";
import { compared, summarise, type Row } from "./row.ts";
import { median, quantile } from "./statistics.ts";
import { tableOf } from "./table.ts";

const row = (value: number, bare: number): Row =>
  compared({ source: "consul", setting: "few", figure: "first sync", unit: "ms", value, bare, limit: 25 });

const heads = { source: "source", bare: "bare" };

describe("the figures of several runs", () => {
  it("become one with the medians of values and of ratios, and with the extremes", () => {
    const [summary, ...others] = summarise([row(10, 5), row(40, 10), row(20, 20)]);
    expect(others).toEqual([]);
    expect(summary).toMatchObject({ value: 20, bare: 10, ratio: 2, runs: 3, lowest: 10, highest: 40, limit: 25 });
  });

  it("say in the table which target is missed", () => {
    const [met, missed] = [summarise([row(24.9, 5)]), summarise([row(25, 5)])];
    expect(tableOf(met, heads)).not.toContain("MISSED");
    expect(tableOf(missed, heads).split("\n").at(-1)).toMatch(
      /^consul {2}few +first sync +25\.0 ms .* < 25\.0 ms {2}MISSED$/,
    );
  });
});

describe("statistics", () => {
  it("take the nearest rank for a quantile", () => {
    const samples = Array.from({ length: 200 }, (_, index) => 200 - index);
    expect([quantile(samples, 0.5), quantile(samples, 0.99), quantile(samples, 1)]).toEqual([100, 198, 200]);
    expect(() => quantile([], 0.5)).toThrow(RangeError);
  });

  it("take the mean of the two in the middle for the median of an even number", () => {
    expect([median([3, 1, 2]), median([4, 1, 2, 3])]).toEqual([2, 2.5]);
    expect(() => median([])).toThrow(RangeError);
  });
});
