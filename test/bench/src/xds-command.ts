import { writeFile } from "node:fs/promises";
import { runInterruptible } from "./interruptible.ts";
import { UsageError } from "./option-values.ts";
import { benchXds } from "./xds/bench-xds.ts";
import { cells } from "./xds/cells.ts";
import { writeDocsBlock } from "./xds/docs-block.ts";
import { machineOf } from "./xds/machine.ts";
import { listOf, parseXdsOptions, xdsUsage, type XdsOptions } from "./xds/options.ts";
import { summariseXds, targetsMet } from "./xds/summary.ts";
import { xdsTable } from "./xds/xds-table.ts";

/** The command line of the part of `npm run bench` about the xDS publisher. Resolves with the exit code; a target that is missed changes nothing in it. */
export async function xdsCommand(args: readonly string[]): Promise<number> {
  let options: XdsOptions;
  try {
    options = parseXdsOptions(args, cells);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    process.stderr.write(`${error.message}\n${xdsUsage}`);
    return 1;
  }
  if (options.list) {
    process.stdout.write(listOf(cells, options.runs));
    return 0;
  }
  return runInterruptible((signal) => measure(options, signal));
}

async function measure({ cells: chosen, json, markdown, runs }: XdsOptions, signal: AbortSignal): Promise<void> {
  const { remarks, rows } = await benchXds(chosen, runs, signal);
  const summaries = summariseXds(chosen, rows);
  const machine = await machineOf();
  if (json !== undefined)
    await writeFile(json, `${JSON.stringify({ machine, runs, remarks, summaries, rows }, null, 2)}\n`);
  if (markdown) await writeDocsBlock({ machine, runs, summaries });
  const many = runs === 1 ? "one run" : `medians of ${runs} runs`;
  process.stdout.write(`${machine.text}, ${many}\n\n${xdsTable(summaries)}\n\n${targetsMet(summaries)}\n`);
  for (const remark of remarks) process.stdout.write(`${remark}\n`);
}
