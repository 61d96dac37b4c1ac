import { extname } from "node:path";
import { parseArgs } from "node:util";
import { ablationsCommand } from "./ablations-command.ts";
import { adaptersCommand } from "./adapters-command.ts";
import { busCommand } from "./bus-command.ts";
import { catalogCommand } from "./catalog-command.ts";
import { rulesCommand } from "./rules-command.ts";
import { soakCommand } from "./soak-command.ts";
import { parsed, UsageError } from "./option-values.ts";
import { profileCommand } from "./profile-command.ts";
import { quickCommand } from "./quick-command.ts";
import { xdsCommand } from "./xds-command.ts";

const parts: ReadonlyMap<string, (args: readonly string[]) => Promise<number>> = new Map([
  ["adapters", adaptersCommand],
  ["bus", busCommand],
  ["catalog", catalogCommand],
  ["rules", rulesCommand],
  ["soak", soakCommand],
  ["xds", xdsCommand],
]);
/** Commands that are no part of a whole measurement. */
const others: ReadonlyMap<string, (args: readonly string[]) => Promise<number>> = new Map([
  ["ablations", ablationsCommand],
  ["quick", quickCommand],
  ["profile", profileCommand],
]);

const usage = `npm run bench -- [part] [options]
  part            ${[...parts.keys()].join(" or ")}, with the options of that part; without it, all with
  --runs N        how often everything is measured; medians are shown (1)
  --json FILE     writes all figures to files as well; the part becomes part of their names
npm run bench -- quick          tries a few tiny ones: it fails when something is lost or broken, never on time
npm run bench -- ablations      what each optimisation carries: figures of the product with it and without it
npm run bench -- profile CELL   where the product spends time and memory in a cell of the part xds
`;

/** The command line of `npm run bench`. Resolves with the exit code. */
export async function benchCommand(args: readonly string[]): Promise<number> {
  const [name = "", ...rest] = args;
  const part = parts.get(name) ?? others.get(name);
  if (part !== undefined) return part(rest);
  try {
    const given = commonOptions(args);
    for (const [name, part] of parts) {
      const code = await part(argumentsOf(name, given));
      // Whoever interrupts one does not want the others.
      if (code !== 0) return code;
    }
    return 0;
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    process.stderr.write(`${error.message}\n${usage}`);
    return 1;
  }
}

function commonOptions(args: readonly string[]) {
  const text = { type: "string" } as const;
  return parsed(() => parseArgs({ args: [...args], options: { runs: text, json: text } })).values;
}

function argumentsOf(part: string, { json, runs }: ReturnType<typeof commonOptions>): readonly string[] {
  const found: string[] = runs === undefined ? [] : ["--runs", runs];
  if (json === undefined) return found;
  const end = extname(json);
  return [...found, "--json", `${json.slice(0, json.length - end.length)}-${part}${end}`];
}
