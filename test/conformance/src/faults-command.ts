import { parseArgs } from "node:util";
import { faultEngines } from "./bus-faults/engines.ts";
import { FaultSequenceError, playFaults } from "./bus-faults/play.ts";

const usage = `npm run faults -- --engine <${Object.keys(faultEngines).join("|")}> [--count <n>] [--seed <n>] [--log]

Plays random sequences of faults on a real engine and prints what came of each.

  --count <n>  so many sequences, default 20
  --seed <n>   the first seed, default 1; without --count this one only
  --log        prints what happened in each sequence
`;

/** The command line of `npm run faults`. Resolves with the exit code: 1 when a sequence failed, 2 for wrong arguments. */
export async function faultsCommand(args: readonly string[]): Promise<number> {
  const options = read(args);
  if (options === undefined) {
    process.stderr.write(usage);
    return 2;
  }
  const { count, first, log, name, start } = options;
  const failed: number[] = [];
  const healed: number[] = [];
  for (let seed = first; seed < first + count; seed++) {
    const begun = performance.now();
    try {
      const { epochs, healMs, log: lines, shown, steps } = await playFaults(start, seed);
      healed.push(healMs);
      const took = Math.round(performance.now() - begun);
      if (log) process.stdout.write(`${lines.join("\n")}\n`);
      process.stdout.write(
        `seed ${seed}: good, ${steps} steps, ${epochs} epochs, ${shown} catalogs shown, healed in ${healMs} ms, ${took} ms in all\n`,
      );
    } catch (error) {
      if (!(error instanceof FaultSequenceError)) throw error;
      failed.push(seed);
      process.stdout.write(`${error.message}\n`);
    }
  }
  healed.sort((a, b) => a - b);
  const at = (part: number): number => healed[Math.floor((healed.length - 1) * part)] ?? 0;
  const times =
    healed.length === 0 ? "" : `; healed in ${at(0.5)} ms (p50), ${at(0.99)} ms (p99), ${at(1)} ms (longest)`;
  const outcome = failed.length === 0 ? "all good" : `failed: ${failed.join(", ")}`;
  process.stdout.write(`${name}: ${count} sequences, ${outcome}${times}\n`);
  return failed.length === 0 ? 0 : 1;
}

function read(args: readonly string[]) {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        engine: { type: "string" },
        count: { type: "string" },
        seed: { type: "string" },
        log: { type: "boolean", default: false },
      },
    });
    const name = values.engine ?? "";
    const start = Object.hasOwn(faultEngines, name) ? faultEngines[name] : undefined;
    const first = Number(values.seed ?? 1);
    const count = Number(values.count ?? (values.seed === undefined ? 20 : 1));
    if (start === undefined || !Number.isSafeInteger(first) || !Number.isSafeInteger(count) || count < 1)
      return undefined;
    return { name, start, first, count, log: values.log };
  } catch {
    return undefined;
  }
}
