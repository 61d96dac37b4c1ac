import { benchSource } from "./bench-source.ts";
import { runBenchmark, type Measured } from "./command.ts";
import { parseOptions, usage, type BenchOptions } from "./options.ts";
import type { Row } from "./row.ts";

/** The command line of `npm run bench:adapters`. Resolves with the exit code. */
export async function adaptersCommand(args: readonly string[]): Promise<number> {
  return runBenchmark({ usage, heads: { source: "source", bare: "bare" }, parse: parseOptions, measure }, args);
}

async function measure(options: BenchOptions, signal: AbortSignal): Promise<Measured> {
  const rows: Row[] = [];
  const remarks: string[] = [];
  for (const name of options.sources) {
    const measured = await benchSource(name, options, (text) => process.stderr.write(`${name}: ${text}\n`), signal);
    rows.push(...measured.rows);
    remarks.push(...measured.remarks.map((remark) => `${name}: ${remark}`));
  }
  return { rows, remarks };
}
