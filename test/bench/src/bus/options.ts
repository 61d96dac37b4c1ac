import { parseArgs } from "node:util";
import type { CommonOptions } from "../command.ts";
import { count, parsed, UsageError } from "../option-values.ts";
import { busNames, type BusName } from "./access.ts";

/** What is measured. */
export interface BusOptions extends CommonOptions {
  /** Always with the first one, which the others are compared with. */
  readonly buses: readonly BusName[];
  /** Services of the small world, in which only changes are timed. */
  readonly few: number;
  /** Services of the large worlds. */
  readonly services: number;
  /** Instances of each service. */
  readonly instances: number;
  /** Changes that are timed one by one in each run. */
  readonly changes: number;
  /** Changes that are published as fast as the bus takes them. */
  readonly published: number;
}

/** What the command takes. */
export const busUsage = `npm run bench -- bus [options]
  --bus NAME          ${busNames.join(", ")}; may be given again (all); ${busNames[0]} is always measured
  --few N             services of the small catalog (1000)
  --services N        services of the large ones (20000)
  --instances N       instances of each service (10)
  --changes N         changes that are timed one by one in each run (300)
  --published N       changes that are published as fast as the bus takes them (20000)
  --runs N            how often everything is measured; medians are shown (1)
  --json FILE         writes all figures to a file as well
`;

/** So many changes have an address of their own. */
const mostChanges = 65_536;

/** Reads the command line. Throws a UsageError. */
export function parseBusOptions(args: readonly string[]): BusOptions {
  const text = { type: "string" } as const;
  const { values } = parsed(() =>
    parseArgs({
      args: [...args],
      options: {
        bus: { type: "string", multiple: true },
        few: text,
        services: text,
        instances: text,
        changes: text,
        published: text,
        runs: text,
        json: text,
      },
    }),
  );
  const changes = count("changes", values.changes ?? "300");
  const published = count("published", values.published ?? "20000");
  if (changes + published > mostChanges)
    throw new UsageError(`--changes and --published must be at most ${mostChanges} together`);
  return {
    buses: busesOf(values.bus ?? []),
    few: count("few", values.few ?? "1000"),
    services: count("services", values.services ?? "20000"),
    instances: count("instances", values.instances ?? "10"),
    changes,
    published,
    runs: count("runs", values.runs ?? "1"),
    json: values.json,
  };
}

function busesOf(given: readonly string[]): readonly BusName[] {
  const unknown = given.find((name) => !busNames.some((known) => known === name));
  if (unknown !== undefined) throw new UsageError(`there is no bus ${JSON.stringify(unknown)}`);
  return busNames.filter((name, index) => index === 0 || given.length === 0 || given.includes(name));
}
