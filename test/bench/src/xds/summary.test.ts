import { describe, expect, it } from "vitest";
import type { Cell, Scene, Target } from "./cell.ts";
import { rowsOf, summariseXds, targetsMet } from "./summary.ts";
import { changed } from "./testing/reports.ts";
import { xdsMarkdown, xdsTable } from "./xds-table.ts";

const scene: Scene = {
  server: { type: "product" },
  mesh: { services: 100, endpoints: 10, rules: 1, namespaces: 1 },
  load: { clients: 10, mode: "delta", action: { type: "endpoint", changes: 4 } },
};
const cell = (target?: Target, beside = true): Cell => ({
  name: "one",
  about: "a cell",
  scene,
  ...(beside && { beside: { ...scene, server: { type: "peer", cache: "linear" } } }),
  wanted: [{ figure: "change to client, p50", ...(target && { target }) }],
  seconds: 1,
});
const took = (p50_ms: number) =>
  changed({ latency_from_trigger_start: { n: 1, p50_ms, p99_ms: p50_ms, max_ms: p50_ms } });

/** Each pair is one run. */
function summaryOf(one: Cell, ...runs: readonly (readonly [number, number])[]) {
  const rows = runs.flatMap(([value, beside], index) => rowsOf(one, index + 1, took(value), took(beside)));
  return summariseXds([one], rows);
}

describe("several runs", () => {
  it("become one figure with medians, extremes and the ratio of the medians", () => {
    expect(summaryOf(cell(), [10, 20], [30, 25], [12, 60])).toEqual([
      {
        cell: "one",
        figure: "change to client, p50",
        unit: "ms",
        runs: 3,
        value: { median: 12, lowest: 10, highest: 30 },
        beside: { median: 25, lowest: 20, highest: 60, name: "peer", runs: 3 },
        ratio: 12 / 25,
      },
    ]);
  });

  it("have no ratio beside nothing, and no figure of a cell that did not run", () => {
    const [summary] = summaryOf(cell(), [10, 0]);
    expect(summary?.ratio).toBeUndefined();
    expect(summariseXds([cell()], [])).toEqual([]);
  });

  it.each<[Target, number, number, boolean]>([
    [{ ratio: 0.5 }, 5, 10, true],
    [{ ratio: 0.5 }, 5.1, 10, false],
    [{ ratio: 0.5 }, 5, 0, false],
    [{ value: 5 }, 5, 1, true],
    [{ value: 5 }, 5.1, 100, false],
  ])("meet the target %j with %d beside %d: %s", (target, value, beside, met) => {
    const summaries = summaryOf(cell(target), [value, beside]);
    expect(summaries[0]?.met).toBe(met);
    expect(xdsTable(summaries).includes("MISSED")).toBe(!met);
  });
});

it("names the targets that are missed", () => {
  const [met, missed] = [summaryOf(cell({ ratio: 0.5 }), [5, 10]), summaryOf(cell({ ratio: 0.5 }), [6, 10])];
  expect(targetsMet([...met, ...summaryOf(cell(), [5, 10])])).toBe("1 of 1 targets met");
  expect(targetsMet([...met, ...missed])).toBe("1 of 2 targets met; missed: one (change to client, p50)");
});

describe("the table", () => {
  it("shows both sides, and the spread of several runs", () => {
    const line = xdsTable(summaryOf(cell({ ratio: 0.5 }), [10.04, 200], [20.04, 300]))
      .split("\n")
      .at(-1);
    expect(line?.split(/ {2,}/)).toEqual([
      "one",
      "change to client, p50",
      "15.0 ms",
      "10.0 – 20.0",
      "250 ms",
      "200 – 300",
      "0.060 ×",
      "≤ 0.5 ×",
    ]);
  });

  it("says of a cell, and of what is beside it, that it was measured less often than others", () => {
    const rows = [1, 2, 3].flatMap((run) => rowsOf(cell(), run, took(run), run === 1 ? took(8) : undefined));
    const rare = { ...cell(), name: "rare" };
    const all = summariseXds([cell(), rare], [...rows, ...rowsOf(rare, 1, took(1), took(2))]);
    const [often, once] = xdsTable(all).split("\n").slice(2);
    expect(often).toContain("(one run)");
    expect(often).toMatch(/^one {2}/);
    expect(once).toMatch(/^rare \(one run\) {2}/);
  });

  it("is Markdown with as many columns in each row", () => {
    const widths = xdsMarkdown(summaryOf(cell(), [10, 20]))
      .split("\n")
      .map((row) => row.split("|").length);
    expect(widths).toHaveLength(3);
    expect(new Set(widths).size).toBe(1);
  });
});
