import { readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import type { Machine } from "./machine.ts";
import type { XdsSummary } from "./summary.ts";
import { xdsMarkdown } from "./xds-table.ts";

const begin = "<!-- figures of npm run bench -- xds --markdown -->";
const end = "<!-- end of these figures -->";
const page = fileURLToPath(new URL("../../../../docs/benchmarks.md", import.meta.url));

/** What the block says. */
export interface DocsFigures {
  readonly machine: Machine;
  readonly runs: number;
  readonly summaries: readonly XdsSummary[];
}

/** Writes the figures between two comments of docs/benchmarks.md. Rejects with a RangeError where they are missing. */
export async function writeDocsBlock(figures: DocsFigures): Promise<void> {
  const text = await readFile(page, "utf8");
  await writeFile(page, withBlock(text, blockOf(figures, new Date().toISOString().slice(0, 10))));
}

/** The page with another text between the two comments. Throws a RangeError where they are missing. */
export function withBlock(text: string, block: string): string {
  const from = text.indexOf(begin);
  const to = text.indexOf(end);
  if (from < 0 || to < from) throw new RangeError("the page has no place for the figures");
  return `${text.slice(0, from)}${begin}\n\n${block}\n\n${text.slice(to)}`;
}

/** The figures with a line that says when and where they were measured. */
export function blockOf({ machine, runs, summaries }: DocsFigures, date: string): string {
  const most = Math.max(0, ...summaries.map((summary) => summary.runs));
  const many = runs === 1 ? "one run" : `medians of ${most} runs unless a row says fewer`;
  return `Measured ${date} on ${machine.text}; ${many}.\n\n${xdsMarkdown(summaries)}`;
}
