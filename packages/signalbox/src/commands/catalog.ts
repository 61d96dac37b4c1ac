import { resolve } from "node:path";
import { silentLogger } from "@signalbox/registry";
import { readCatalogOnce, type OfflineCatalog } from "../offline-catalog.ts";
import { catalogTable, printedServices } from "./catalog-text.ts";
import { CommandFailure, exitCodes, type CommandContext } from "./context.ts";
import { planFiles, readConfig } from "./read-config.ts";

/** The flags of `signalbox catalog`. */
export interface CatalogFlags {
  readonly config?: string;
  readonly rules?: readonly string[];
  readonly output: "json" | "table";
}

/** `signalbox catalog`: prints the services. What could not be read is named on standard error, and makes the exit code 1. */
export async function catalogCommand(flags: CatalogFlags, context: CommandContext): Promise<void> {
  const { config, output, rules } = flags;
  if ((config === undefined) === (rules === undefined))
    throw new CommandFailure("give either --config or --rules", exitCodes.usage);
  const read = await readOnce(config, rules ?? [], context);
  const services = printedServices(read.catalog);
  context.stdout.write(output === "json" ? `${JSON.stringify({ services }, undefined, 2)}\n` : catalogTable(services));
  failIfIncomplete(read);
}

async function readOnce(
  config: string | undefined,
  rules: readonly string[],
  context: CommandContext,
): Promise<OfflineCatalog> {
  if (config === undefined) return readCatalogOnce(await planFiles(rules, "rules"), resolve("."), silentLogger);
  const loaded = await readConfig(config, context);
  return readCatalogOnce(loaded, loaded.baseDir, silentLogger);
}

/** Ends the command with exit code 1 when a registry could not be read whole. */
export function failIfIncomplete({ incomplete }: OfflineCatalog): void {
  if (incomplete.length === 0) return;
  const lines = incomplete.map(({ id, lastError, problem }) => {
    return `${id}: ${problem ?? "did not answer in time"}${lastError === undefined ? "" : `: ${lastError.message}`}`;
  });
  throw new CommandFailure(`not everything could be read\n${lines.join("\n")}`, exitCodes.failed);
}
