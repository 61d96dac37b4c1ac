import { parseArgs } from "node:util";
import type { CommonOptions } from "../command.ts";
import { count, parsed, seconds } from "../option-values.ts";

/** What is measured. */
export interface CatalogOptions extends CommonOptions {
  /** Services of the small catalog, beside which the large one is measured. */
  readonly few: number;
  readonly services: number;
  /** Endpoints of each service. */
  readonly instances: number;
  /** Changes that are timed in each run. */
  readonly changes: number;
  /** Seconds in which nothing changes and CPU time is counted. */
  readonly quietSeconds: number;
}

/** What the command takes. */
export const catalogUsage = `npm run bench -- catalog [options]
  --few N             services of the small catalog (1000)
  --services N        services of the large one (10000)
  --instances N       endpoints of each service (10)
  --changes N         changes that are timed in each run (200)
  --quiet SECONDS     how long CPU time is counted while nothing changes (30)
  --runs N            how often everything is measured; medians are shown (1)
  --json FILE         writes all figures to a file as well
`;

/** Reads the command line. Throws a UsageError. */
export function parseCatalogOptions(args: readonly string[]): CatalogOptions {
  const text = { type: "string" } as const;
  const { values } = parsed(() =>
    parseArgs({
      args: [...args],
      options: { few: text, services: text, instances: text, changes: text, quiet: text, runs: text, json: text },
    }),
  );
  return {
    few: count("few", values.few ?? "1000"),
    services: count("services", values.services ?? "10000"),
    instances: count("instances", values.instances ?? "10"),
    changes: count("changes", values.changes ?? "200"),
    quietSeconds: seconds("quiet", values.quiet ?? "30"),
    runs: count("runs", values.runs ?? "1"),
    json: values.json,
  };
}
