import type { Side, XdsSummary } from "./summary.ts";

const heads = ["cell", "figure", "product", "lowest – highest", "beside", "lowest – highest", "ratio", "target", ""];

/** The figures as a table for people. The last column has a mark where a target is missed. */
export function xdsTable(summaries: readonly XdsSummary[]): string {
  const lines = linesOf(summaries);
  const widths = heads.map((head, column) => Math.max(head.length, ...lines.map((line) => line[column]?.length ?? 0)));
  const lineOf = (cells: readonly string[]) =>
    cells
      .map((cell, column) => (column < 2 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0)))
      .join("  ")
      .trimEnd();
  return [lineOf(heads), lineOf(widths.map((width) => "-".repeat(width))), ...lines.map(lineOf)].join("\n");
}

/** The same for a page of the documentation, with columns as wide as the formatter makes them. */
export function xdsMarkdown(summaries: readonly XdsSummary[]): string {
  const rows = [heads, ...linesOf(summaries)];
  const widths = heads.map((_, column) => Math.max(3, ...rows.map((cells) => cells[column]?.length ?? 0)));
  const lineOf = (cells: readonly string[]) =>
    `| ${widths.map((width, column) => (cells[column] ?? "").padEnd(width)).join(" | ")} |`;
  return [heads, widths.map((width) => "-".repeat(width)), ...rows.slice(1)].map(lineOf).join("\n");
}

function linesOf(summaries: readonly XdsSummary[]): readonly (readonly string[])[] {
  const most = Math.max(0, ...summaries.map(({ runs }) => runs));
  return summaries.map((summary) => cellsOf(summary, most));
}

/** Where it was measured less often than `most`, the cell says so. */
function cellsOf(summary: XdsSummary, most: number): readonly string[] {
  const { beside, cell, figure, met, ratio, runs, target, unit, value } = summary;
  const shown = (number: number): string => `${digits(number)} ${unit}`.trimEnd();
  const few = (times: number, of: number): string =>
    times < of ? ` (${times === 1 ? "one run" : `${times} runs`})` : "";
  const range = ({ highest, lowest }: Side, times: number): string =>
    `${times > 1 ? `${digits(lowest)} – ${digits(highest)}` : ""}${few(times, runs)}`.trimStart();
  return [
    `${cell}${few(runs, most)}`,
    figure,
    shown(value.median),
    range(value, runs),
    beside === undefined ? "" : `${shown(beside.median)}${beside.name === "peer" ? "" : ` (${beside.name})`}`,
    beside === undefined ? "" : range(beside, beside.runs),
    ratio === undefined ? "" : `${digits(ratio)} ×`,
    target === undefined ? "" : "ratio" in target ? `≤ ${target.ratio} ×` : `≤ ${`${target.value} ${unit}`.trimEnd()}`,
    met === false ? "MISSED" : "",
  ];
}

/** Three digits that count, or all before the point. */
function digits(number: number): string {
  const size = Math.abs(number);
  if (Number.isInteger(number)) return String(number);
  if (size < 0.1) return number.toPrecision(2);
  return number.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : 2);
}
