import { runBenchmark } from "./command.ts";
import { benchRules } from "./rules/bench-rules.ts";
import { parseRulesOptions, rulesUsage } from "./rules/options.ts";

/** The command line of the part of `npm run bench` about changed rules. Resolves with the exit code. */
export async function rulesCommand(args: readonly string[]): Promise<number> {
  const heads = { source: "part", bare: "a hundredth" };
  return runBenchmark({ usage: rulesUsage, heads, parse: parseRulesOptions, measure: benchRules }, args);
}
