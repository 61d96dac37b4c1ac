import { busNames } from "./bus/access.ts";
import { benchBuses } from "./bus/bench-buses.ts";
import { parseBusOptions, busUsage } from "./bus/options.ts";
import { runBenchmark } from "./command.ts";

/** The command line of the bus part of `npm run bench`. Resolves with the exit code. */
export async function busCommand(args: readonly string[]): Promise<number> {
  const [first] = busNames;
  const heads = { source: "bus", bare: first };
  return runBenchmark({ usage: busUsage, heads, parse: parseBusOptions, measure: benchBuses }, args);
}
