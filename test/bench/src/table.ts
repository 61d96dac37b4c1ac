import type { Summary } from "./row.ts";

/** What two columns are called that differ between benchmarks: who was measured, and beside what. */
export interface TableHeads {
  readonly source: string;
  readonly bare: string;
}

/** The figures as a table for people. The last column has a mark where a target is missed. */
export function tableOf(summaries: readonly Summary[], names: TableHeads): string {
  const heads = [names.source, "setting", "figure", "median", "lowest – highest", names.bare, "ratio", "target", ""];
  const lines = summaries.map((summary) => {
    const { bare, figure, highest, limit, lowest, ratio, runs, setting, source, unit, value } = summary;
    const shown = (number: number) => `${rounded(number)} ${unit}`;
    return [
      source,
      setting,
      figure,
      shown(value),
      runs > 1 ? `${rounded(lowest)} – ${rounded(highest)}` : "",
      bare === undefined ? "" : shown(bare),
      ratio === undefined ? "" : `${rounded(ratio)} ×`,
      limit === undefined ? "" : `< ${shown(limit)}`,
      limit !== undefined && value >= limit ? "MISSED" : "",
    ];
  });
  const widths = heads.map((head, column) =>
    Math.max(head.length, ...lines.map((cells) => cells[column]?.length ?? 0)),
  );
  const lineOf = (cells: readonly string[]) =>
    cells
      .map((cell, column) => (column < 3 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0)))
      .join("  ")
      .trimEnd();
  return [lineOf(heads), lineOf(widths.map((width) => "-".repeat(width))), ...lines.map(lineOf)].join("\n");
}

/** Three digits that count, or all before the point. */
function rounded(number: number): string {
  const size = Math.abs(number);
  return number.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : 2);
}
