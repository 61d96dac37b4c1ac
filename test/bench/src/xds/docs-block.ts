import { readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import type { Machine } from "./machine.ts";
import type { XdsSummary } from "./summary.ts";
import { xdsMarkdown } from "./xds-table.ts";

/** Where the figures of the cells begin. */
export const xdsBegin = "<!-- figures of npm run bench -- xds --markdown -->";
/** Where those of the ablations begin. */
export const ablationsBegin = "<!-- figures of npm run bench -- ablations --markdown -->";
const end = "<!-- end of these figures -->";
const benchmarks = fileURLToPath(new URL("../../../../docs/benchmarks.md", import.meta.url));
const performance = fileURLToPath(new URL("../../../../docs/performance.md", import.meta.url));

/** What the block says. */
export interface DocsFigures {
  readonly machine: Machine;
  readonly runs: number;
  readonly summaries: readonly XdsSummary[];
}

/** Writes the figures between two comments of docs/benchmarks.md. Rejects with a RangeError where they are missing. */
export async function writeDocsBlock(figures: DocsFigures): Promise<void> {
  await replaceBlock(benchmarks, xdsBegin, blockOf(figures, today()));
}

/** Writes the table of `npm run bench -- ablations` between two comments of docs/performance.md. Rejects as `writeDocsBlock` does. */
export async function writeAblationsBlock(figures: Pick<DocsFigures, "machine" | "runs"> & { readonly table: string }) {
  const many = figures.runs === 1 ? "one run of both" : `medians of ${figures.runs} runs of both, in turn`;
  const block = `Measured ${today()} on ${figures.machine.text}; ${many}.\n\n${figures.table}`;
  await replaceBlock(performance, ablationsBegin, block);
}

function today(): string {
  return new Date().toISOString().slice(0, 10);
}

async function replaceBlock(page: string, begin: string, block: string): Promise<void> {
  await writeFile(page, withBlock(await readFile(page, "utf8"), block, begin));
}

/** The page with another text between the comment `begin` and the next end. Throws a RangeError where they are missing. */
export function withBlock(text: string, block: string, begin: string): string {
  const from = text.indexOf(begin);
  const to = text.indexOf(end, from);
  if (from < 0 || to < from) throw new RangeError("the page has no place for the figures");
  return `${text.slice(0, from)}${begin}\n\n${block}\n\n${text.slice(to)}`;
}

/** The figures with a line that says when and where they were measured. */
export function blockOf({ machine, runs, summaries }: DocsFigures, date: string): string {
  const most = Math.max(0, ...summaries.map((summary) => summary.runs));
  const many = runs === 1 ? "one run" : `medians of ${most} runs unless a row says fewer`;
  return `Measured ${date} on ${machine.text}; ${many}.\n\n${xdsMarkdown(summaries)}`;
}
