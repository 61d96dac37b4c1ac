import { stat } from "node:fs/promises";
import { ConfigError } from "@signalbox/registry";
import { parseConfig } from "../config/check.ts";
import { ConfigFileError, loadConfig, type LoadedConfig } from "../config/load.ts";
import { planRegistries } from "../config/registries.ts";
import type { Plan } from "../signalbox.ts";
import { CommandFailure, exitCodes, type CommandContext } from "./context.ts";

/** The file that is read when none is named. */
export const defaultConfigFile = "signalbox.yaml";

/** Loads a configuration file for a command. Mistakes end the command with exit code 2 and one line for each. */
export async function readConfig(file: string, context: CommandContext): Promise<LoadedConfig> {
  try {
    return await loadConfig(file, context.environment);
  } catch (error) {
    throw configFailure(error, file);
  }
}

/**
 * A plan that serves only these files, and the Kubernetes objects in `manifests`, which come first, as the cluster does in Istio. Paths start
 * from the working directory.
 */
export async function planFiles(paths: readonly string[], name: string, manifests?: string): Promise<Plan> {
  for (const path of [...paths, ...(manifests === undefined ? [] : [manifests])]) await mustExist(path);
  const config = parseConfig({
    registries: [
      ...(manifests === undefined ? [] : [{ provider: "kubernetes", name: "manifests", manifests }]),
      ...(paths.length === 0 ? [] : [{ provider: "static", name, paths }]),
    ],
  });
  const { planned, faults } = await planRegistries(config);
  if (faults.length > 0) throw new CommandFailure(new ConfigError(faults).message, exitCodes.usage);
  return { config, registries: planned };
}

/**
 * Ends the command with exit code 2 when a path that a person gave is not there: a daemon waits for files to come, but a person who
 * mistyped a name should learn of it. Globs may match nothing.
 */
export async function mustExist(path: string): Promise<void> {
  if (/[*?[\]{}()!]/.test(path)) return;
  try {
    await stat(path);
  } catch (error) {
    throw new CommandFailure(`${path} cannot be read: ${(error as Error).message}`, exitCodes.usage, { cause: error });
  }
}

function configFailure(error: unknown, file: string): unknown {
  if (error instanceof ConfigFileError)
    return new CommandFailure(
      `the configuration has mistakes\n${error.message}${hintOf(error, file)}`,
      exitCodes.usage,
      {
        cause: error,
      },
    );
  const { code } = error as NodeJS.ErrnoException;
  if (code !== undefined && /^E[A-Z]+$/.test(code))
    return new CommandFailure(`${file} cannot be read: ${(error as Error).message}`, exitCodes.usage, { cause: error });
  return error;
}

/** What to do with a file that was meant for something else. */
function hintOf({ faults }: ConfigFileError, file: string): string {
  const unknown = new Set(
    faults.filter(({ message }) => message.startsWith("unknown key")).map(({ path }) => path.at(-1)),
  );
  if (unknown.has("ports") || unknown.has("endpoints"))
    return `\nThis looks like a file of services: signalbox run --files ${file}, or name it in registries of a configuration`;
  if (unknown.has("apiVersion"))
    return `\nThis looks like an object and not like a configuration: signalbox run --files ${file}, or name it in rules of a configuration`;
  return "";
}
