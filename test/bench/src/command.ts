import { writeFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { UsageError } from "./option-values.ts";
import { summarise, type Row } from "./row.ts";
import { tableOf, type TableHeads } from "./table.ts";

/** Options of every benchmark. */
export interface CommonOptions {
  readonly runs: number;
  /** File for the figures as JSON. */
  readonly json: string | undefined;
}

/** A benchmark that has a command line. */
export interface Benchmark<O extends CommonOptions> {
  /** What the command takes. */
  readonly usage: string;
  readonly heads: TableHeads;
  /** Reads the command line. Throws a UsageError. */
  parse(args: readonly string[]): O;
  /** Measures everything, with all runs. */
  measure(options: O, signal: AbortSignal): Promise<Measured>;
}

/** What a benchmark found. */
export interface Measured {
  readonly rows: readonly Row[];
  /** What a reader of the table should know. */
  readonly remarks: readonly string[];
}

/** Runs a benchmark as a command. Resolves with the exit code; a target that is missed changes nothing in it. */
export async function runBenchmark<O extends CommonOptions>(
  benchmark: Benchmark<O>,
  args: readonly string[],
): Promise<number> {
  let options: O;
  try {
    options = benchmark.parse(args);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    process.stderr.write(`${error.message}\n${benchmark.usage}`);
    return 1;
  }
  const interrupted = new AbortController();
  const interrupt = (): void => interrupted.abort(new Error("interrupted"));
  process.once("SIGINT", interrupt).once("SIGTERM", interrupt);
  try {
    await report(options, benchmark.heads, await benchmark.measure(options, interrupted.signal));
    return 0;
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
    return 1;
  } finally {
    process.off("SIGINT", interrupt).off("SIGTERM", interrupt);
  }
}

async function report(options: CommonOptions, heads: TableHeads, { remarks, rows }: Measured): Promise<void> {
  const summaries = summarise(rows);
  const machine = { cores: availableParallelism(), node: process.version };
  if (options.json !== undefined)
    await writeFile(options.json, `${JSON.stringify({ machine, options, remarks, summaries, rows }, null, 2)}\n`);
  const runs = options.runs === 1 ? "one run" : `medians of ${options.runs} runs`;
  process.stdout.write(`Node ${process.version}, ${machine.cores} cores, ${runs}\n\n${tableOf(summaries, heads)}\n\n`);
  for (const remark of remarks) process.stdout.write(`${remark}\n`);
}
