import { writeFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { benchSource } from "./bench-source.ts";
import { parseOptions, usage, UsageError, type BenchOptions } from "./options.ts";
import { summarise, type Row } from "./row.ts";
import { tableOf } from "./table.ts";

/** The command line of `npm run bench:adapters`. Resolves with the exit code; a target that is missed changes nothing in it. */
export async function adaptersCommand(args: readonly string[]): Promise<number> {
  let options: BenchOptions;
  try {
    options = parseOptions(args);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    process.stderr.write(`${error.message}\n${usage}`);
    return 1;
  }
  const interrupted = new AbortController();
  const interrupt = (): void => interrupted.abort(new Error("interrupted"));
  process.once("SIGINT", interrupt).once("SIGTERM", interrupt);
  try {
    await bench(options, interrupted.signal);
    return 0;
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
    return 1;
  } finally {
    process.off("SIGINT", interrupt).off("SIGTERM", interrupt);
  }
}

async function bench(options: BenchOptions, signal: AbortSignal): Promise<void> {
  const rows: Row[] = [];
  const remarks: string[] = [];
  for (const name of options.sources) {
    const measured = await benchSource(name, options, (text) => process.stderr.write(`${name}: ${text}\n`), signal);
    rows.push(...measured.rows);
    remarks.push(...measured.remarks.map((remark) => `${name}: ${remark}`));
  }
  const summaries = summarise(rows);
  const machine = { cores: availableParallelism(), node: process.version };
  if (options.json !== undefined)
    await writeFile(options.json, `${JSON.stringify({ machine, options, remarks, summaries, rows }, null, 2)}\n`);
  const runs = options.runs === 1 ? "one run" : `medians of ${options.runs} runs`;
  process.stdout.write(`Node ${process.version}, ${machine.cores} cores, ${runs}\n\n${tableOf(summaries)}\n\n`);
  for (const remark of remarks) process.stdout.write(`${remark}\n`);
}
