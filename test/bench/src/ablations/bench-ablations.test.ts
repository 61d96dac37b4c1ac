import { expect, it } from "vitest";
import { ablationTable, type Difference } from "./bench-ablations.ts";

const difference: Difference = {
  ablation: "frames",
  what: "one frame for all",
  where: "a/src/b.ts",
  cell: "rule",
  figure: "CPU per change",
  unit: "ms",
  kept: [10, 14, 12.04],
  without: [60, 48, 50],
};

it("shows both medians and the ratio of them, and does not repeat what was switched off", () => {
  const next: Difference = { ...difference, figure: "bytes per change and client", kept: [0], without: [3], unit: "B" };
  const lines = ablationTable([difference, next, { ...difference, ablation: "other", what: "another" }]).split("\n");
  const cells = lines.slice(2).map((line) =>
    line
      .split("|")
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
  expect(cells).toEqual([
    ["one frame for all", "`a/src/b.ts`", "`rule`, CPU per change", "12 ms", "50 ms", "4.2 ×"],
    ["", "", "`rule`, bytes per change and client", "0 B", "3 B", ""],
    ["another", "`a/src/b.ts`", "`rule`, CPU per change", "12 ms", "50 ms", "4.2 ×"],
  ]);
  expect(new Set(lines.map((line) => line.length)).size).toBe(1);
});
