import { parseArgs } from "node:util";
import type { CommonOptions } from "../command.ts";
import { count, parsed, UsageError } from "../option-values.ts";

/** What is measured. */
export interface RulesOptions extends CommonOptions {
  /** Services of the catalog; a hundredth of them in the small one beside it, at least one. */
  readonly services: number;
  readonly instances: number;
  /** So many services have a VirtualService and a DestinationRule; a hundredth of them in the small catalog, at least one. */
  readonly rules: number;
  readonly clients: number;
  /** Changes of each kind. */
  readonly changes: number;
}

/** What the command takes. */
export const rulesUsage = `npm run bench -- rules [options]
  --services N        services of the catalog (10000); a small one of a hundredth is measured beside it
  --instances N       instances of each service (10)
  --rules N           services with a VirtualService and a DestinationRule (1000); a hundredth in the small one
  --clients N         sidecars in 20 namespaces (100)
  --changes N         changes of each kind of rule (11)
  --runs N            how often everything is measured; medians are shown (1)
  --json FILE         writes all figures to a file as well
`;

/** Reads the command line. Throws a UsageError. */
export function parseRulesOptions(args: readonly string[]): RulesOptions {
  const text = { type: "string" } as const;
  const { values } = parsed(() =>
    parseArgs({
      args: [...args],
      options: { services: text, instances: text, rules: text, clients: text, changes: text, runs: text, json: text },
    }),
  );
  const services = count("services", values.services ?? "10000");
  const rules = count("rules", values.rules ?? "1000");
  if (rules > services) throw new UsageError("--rules must be at most --services");
  return {
    services,
    instances: count("instances", values.instances ?? "10"),
    rules,
    clients: count("clients", values.clients ?? "100"),
    changes: count("changes", values.changes ?? "11"),
    runs: count("runs", values.runs ?? "1"),
    json: values.json,
  };
}
