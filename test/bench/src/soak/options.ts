import { parseArgs } from "node:util";
import type { CommonOptions } from "../command.ts";
import { count, parsed } from "../option-values.ts";

/** What is soaked, and for how long. */
export interface SoakOptions extends CommonOptions {
  readonly services: number;
  /** Endpoints of each service. */
  readonly instances: number;
  /** Delta clients; one of them is replaced by a new one every ten seconds, and one more never reads. */
  readonly clients: number;
  /** Minutes of the product's own clock. */
  readonly minutes: number;
  /** Changes in each second of that clock. */
  readonly churn: number;
  /** How many times faster than the machine's the product's clock runs. */
  readonly scale: number;
  /** Clients that come at once at the end. */
  readonly arrivals: number;
}

/** What the command takes. */
export const soakUsage = `npm run bench -- soak [options]
  --services N        services (1000)
  --instances N       endpoints of each (10)
  --clients N         delta clients, one of which is replaced every ten seconds (20)
  --minutes N         how long everything changes, by the product's own clock (60)
  --churn N           changes in each second of that clock (100)
  --scale N           how many times faster than the machine's that clock runs (10)
  --arrivals N        clients that come at once at the end (1000)
  --runs N            how often everything is measured; medians are shown (1)
  --json FILE         writes all figures to a file as well
`;

/** Reads the command line. Throws a UsageError. */
export function parseSoakOptions(args: readonly string[]): SoakOptions {
  const text = { type: "string" } as const;
  const numbers = {
    ...{ services: text, instances: text, clients: text, minutes: text },
    ...{ churn: text, scale: text, arrivals: text },
  };
  const { values } = parsed(() => parseArgs({ args: [...args], options: { ...numbers, runs: text, json: text } }));
  return {
    services: count("services", values.services ?? "1000"),
    instances: count("instances", values.instances ?? "10"),
    clients: count("clients", values.clients ?? "20"),
    minutes: count("minutes", values.minutes ?? "60"),
    churn: count("churn", values.churn ?? "100"),
    scale: count("scale", values.scale ?? "10"),
    arrivals: count("arrivals", values.arrivals ?? "1000"),
    runs: count("runs", values.runs ?? "1"),
    json: values.json,
  };
}
