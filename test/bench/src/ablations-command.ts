import { writeFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import type { Ablation } from "./ablations/ablation.ts";
import { ablations } from "./ablations/ablations.ts";
import { ablationTable, benchAblations } from "./ablations/bench-ablations.ts";
import type { CommonOptions } from "./command.ts";
import { runInterruptible } from "./interruptible.ts";
import { count, parsed, UsageError } from "./option-values.ts";
import { cells } from "./xds/cells.ts";
import { writeAblationsBlock } from "./xds/docs-block.ts";
import { machineOf } from "./xds/machine.ts";
import { cellOf } from "./xds/options.ts";

/** What is switched off, and where figures go. */
export interface AblationOptions extends CommonOptions {
  readonly ablations: readonly Ablation[];
  /** Print them instead. */
  readonly list: boolean;
  /** Write the figures into the documentation. */
  readonly markdown: boolean;
}

const usage = `npm run bench -- ablations [options]
  --only NAME         switches this off; may be given again (all, one after the other)
  --list              prints what can be switched off, and the time that each takes
  --runs N            how often both are measured, in turn; medians are shown (2)
  --json FILE         writes all figures to a file as well
  --markdown          writes the figures into docs/performance.md
`;

/** The command line of `npm run bench -- ablations`. Resolves with the exit code. */
export async function ablationsCommand(args: readonly string[]): Promise<number> {
  let options: AblationOptions;
  try {
    options = parseAblationOptions(args);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    process.stderr.write(`${error.message}\n${usage}`);
    return 1;
  }
  if (options.list) {
    process.stdout.write(listOf(options));
    return 0;
  }
  return runInterruptible((signal) => measure(options, signal));
}

/** Reads the command line. Throws a UsageError. */
export function parseAblationOptions(args: readonly string[]): AblationOptions {
  const text = { type: "string" } as const;
  const flag = { type: "boolean" } as const;
  const { values } = parsed(() =>
    parseArgs({
      args: [...args],
      options: { only: { ...text, multiple: true }, list: flag, runs: text, json: text, markdown: flag },
    }),
  );
  const only = values.only ?? [];
  const unknown = only.find((name) => !ablations.some((one) => one.name === name));
  if (unknown !== undefined) {
    const names = ablations.map(({ name }) => name).join(", ");
    throw new UsageError(`nothing is called ${JSON.stringify(unknown)}; there are ${names}`);
  }
  return {
    ablations: only.length === 0 ? ablations : ablations.filter(({ name }) => only.includes(name)),
    list: values.list ?? false,
    runs: count("runs", values.runs ?? "2"),
    json: values.json,
    markdown: values.markdown ?? false,
  };
}

function listOf({ ablations: chosen, runs }: AblationOptions): string {
  const width = Math.max(...chosen.map(({ name }) => name.length));
  const timed = chosen.map((one) => ({ ...one, seconds: secondsOf(one, runs) }));
  const minutes = Math.ceil(timed.reduce((sum, { seconds }) => sum + seconds, 0) / 60);
  const lines = timed.map(
    ({ name, seconds, what }) => `${name.padEnd(width)}  ${String(seconds).padStart(4)} s  ${what}`,
  );
  return `${lines.join("\n")}\n\nAll: about ${minutes} minutes on two quiet cores.\n`;
}

function secondsOf({ looks }: Ablation, runs: number): number {
  const names = [...new Set(looks.map(({ cell }) => cell))];
  return names.reduce((sum, name) => sum + 2 * runs * cellOf(name, cells).seconds, 0);
}

async function measure({ ablations: chosen, json, markdown, runs }: AblationOptions, signal: AbortSignal) {
  const differences = await benchAblations(chosen, runs, signal);
  const machine = await machineOf();
  if (json !== undefined) await writeFile(json, `${JSON.stringify({ machine, runs, differences }, null, 2)}\n`);
  const table = ablationTable(differences);
  if (markdown) await writeAblationsBlock({ machine, runs, table });
  const many = runs === 1 ? "one run of both" : `medians of ${runs} runs of both, in turn`;
  process.stdout.write(`${machine.text}, ${many}\n\n${table}\n`);
}
