import type { StepRow } from "./result.ts";

const heads = ["step", "calls through", "sent", "failed before", "failed after", "misrouted", "push after", "share"];

/** The rows as a table in Markdown, which people can read as it is. */
export function tableOf(rows: readonly StepRow[]): string {
  const lines = rows.map(({ failedAfter, failedBefore, misrouted, pushMs, sent, share, step, through }) => [
    step,
    through,
    sent.toLocaleString("en"),
    String(failedBefore),
    String(failedAfter),
    String(misrouted),
    pushMs === undefined ? "" : `${pushMs.toFixed(0)} ms`,
    share === undefined ? "" : `${share.measured.toFixed(1)} %`,
  ]);
  const widths = heads.map((head, column) => Math.max(head.length, ...lines.map((line) => line[column]?.length ?? 0)));
  const lineOf = (cells: readonly string[]) =>
    `| ${cells.map((cell, column) => (column < 2 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0))).join(" | ")} |`;
  const rule = widths.map((width, column) => (column < 2 ? "-".repeat(width) : `${"-".repeat(width - 1)}:`));
  return [lineOf(heads), lineOf(rule), ...lines.map(lineOf)].join("\n");
}
