import { runBenchmark } from "./command.ts";
import { benchSoak } from "./soak/bench-soak.ts";
import { parseSoakOptions, soakUsage } from "./soak/options.ts";

/** The command line of the part of `npm run bench` that looks at memory over time. Resolves with the exit code. */
export async function soakCommand(args: readonly string[]): Promise<number> {
  const heads = { source: "part", bare: "" };
  return runBenchmark({ usage: soakUsage, heads, parse: parseSoakOptions, measure: benchSoak }, args);
}
