import { parseArgs } from "node:util";
import type { CommonOptions } from "./command.ts";
import { count, parsed, seconds, UsageError } from "./option-values.ts";
import { sourceNames, type SourceName } from "./sources/source.ts";

/** What is measured. */
export interface BenchOptions extends CommonOptions {
  readonly sources: readonly SourceName[];
  /** Services of the large fleet. */
  readonly services: number;
  /** Instances of each service. */
  readonly instances: number;
  /** Services that are there when changes are timed in the small fleet. */
  readonly changing: number;
  /** Changes that are timed in each run. Sources in which a change takes seconds get fewer. */
  readonly changes: number;
  /** Seconds in which nothing changes and CPU time is counted. */
  readonly quietSeconds: number;
  /** Seconds between two polls of Eureka. */
  readonly pollSeconds: number;
}

/** What the command takes. */
export const usage = `npm run bench:adapters -- [options]
  --source NAME       ${sourceNames.join(", ")}; may be given again (all)
  --services N        services of the large fleet (5000)
  --instances N       instances of each service (10)
  --changing N        services of the fleet in which changes are timed (500)
  --changes N         changes that are timed in each run (200)
  --quiet SECONDS     how long CPU time is counted while nothing changes (60)
  --poll SECONDS      time between two polls of Eureka (5)
  --runs N            how often everything is measured; medians are shown (1)
  --json FILE         writes all figures to a file as well
`;

/** Reads the command line. Throws a UsageError. */
export function parseOptions(args: readonly string[]): BenchOptions {
  const text = { type: "string" } as const;
  const { values } = parsed(() =>
    parseArgs({
      args: [...args],
      options: {
        source: { type: "string", multiple: true },
        services: text,
        instances: text,
        changing: text,
        changes: text,
        quiet: text,
        poll: text,
        runs: text,
        json: text,
      },
    }),
  );
  const services = count("services", values.services ?? "5000");
  return {
    sources: sourcesOf(values.source ?? []),
    services,
    instances: count("instances", values.instances ?? "10"),
    changing: Math.min(services, count("changing", values.changing ?? "500")),
    changes: count("changes", values.changes ?? "200"),
    quietSeconds: seconds("quiet", values.quiet ?? "60"),
    pollSeconds: seconds("poll", values.poll ?? "5"),
    runs: count("runs", values.runs ?? "1"),
    json: values.json,
  };
}

function sourcesOf(given: readonly string[]): readonly SourceName[] {
  const unknown = given.find((name) => !sourceNames.some((known) => known === name));
  if (unknown !== undefined) throw new UsageError(`there is no source ${JSON.stringify(unknown)}`);
  return sourceNames.filter((name) => given.length === 0 || given.includes(name));
}
