import { readFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { parseDocuments, type ParsedDocument } from "@signalbox/files";
import { formatPath, type ConfigFault, type RegistryModule } from "@signalbox/registry";
import { checkConfig } from "./check.ts";
import { conceal, type Origin } from "./origins.ts";
import { planRegistries, type PlannedRegistry } from "./registries.ts";
import type { SignalboxConfig } from "./schema.ts";
import { substitute } from "./substitute.ts";
import { unknownRegistries } from "./unknown-registries.ts";

/** A configuration file that was read and found good. */
export interface LoadedConfig {
  /** Absolute path of the file. */
  readonly path: string;
  /** Folder of the file: where its relative paths start. */
  readonly baseDir: string;
  /** The text of the file, as it was read. */
  readonly text: string;
  readonly config: SignalboxConfig;
  readonly registries: readonly PlannedRegistry[];
  /** Things that may not be what the writer meant, each with its place. */
  readonly warnings: readonly string[];
}

/** One mistake in the configuration file and its place; lines and columns count from 1. */
export interface PlacedFault extends ConfigFault {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** Thrown when a configuration file cannot be used. Its message has one line `file:line:column: field: message` for each fault. */
export class ConfigFileError extends Error {
  readonly code = "SBX_CONFIG_FILE";
  readonly faults: readonly PlacedFault[];

  constructor(faults: readonly PlacedFault[]) {
    super(faults.map(faultLine).join("\n"));
    this.name = "ConfigFileError";
    this.faults = faults;
  }
}

function faultLine({ file, line, column, path, message }: PlacedFault): string {
  return `${file}:${line}:${column}: ${path.length === 0 ? "" : `${formatPath(path)}: `}${message}`;
}

/**
 * Reads a configuration file: YAML, then environment variables, then the schema, then each adapter's own check.
 * `file` is shown in errors as it is given. Throws a ConfigFileError that names every mistake with its place, and a plain error
 * when the file cannot be read at all.
 */
export async function loadConfig(
  file: string,
  environment: Readonly<Record<string, string | undefined>>,
  modules: readonly RegistryModule<unknown>[] = [],
): Promise<LoadedConfig> {
  const path = resolve(file);
  const baseDir = dirname(path);
  const text = await readFile(path, "utf8");
  const { document, warnings } = parse(text, file);
  const origins = new Map<string, Origin>();
  const fail = (faults: readonly ConfigFault[]): never => {
    throw new ConfigFileError(faults.map((fault) => place(conceal(fault, origins), document, file)));
  };

  const substituted = substitute(document?.value ?? {}, environment);
  for (const [at, origin] of substituted.origins) origins.set(at, origin);
  if (substituted.faults.length > 0) fail(substituted.faults);
  const { config, faults } = checkConfig(substituted.value, substituted.whole, origins);
  if (config === undefined) return fail(faults);
  const { planned, faults: ownFaults } = await planRegistries(config, modules);
  if (ownFaults.length > 0) fail(ownFaults);
  const doubtful = unknownRegistries(
    config,
    planned.map(({ id }) => id),
  ).map((fault) => faultLine(place(conceal(fault, origins), document, file)));
  return { path, baseDir, text, config, registries: planned, warnings: [...warnings, ...doubtful] };
}

function parse(text: string, file: string): { document: ParsedDocument | undefined; warnings: readonly string[] } {
  const { documents, errors, warnings } = parseDocuments(text, { file });
  if (errors.length > 0) throw new ConfigFileError(errors.map((error) => ({ ...error, path: [] })));
  const [document, second] = documents;
  if (second !== undefined)
    throw new ConfigFileError([
      { file, path: [], ...second.positionOf([]), message: "the file must hold one document only" },
    ]);
  return { document, warnings: warnings.map((warning) => faultLine({ ...warning, path: [] })) };
}

function place(fault: ConfigFault, document: ParsedDocument | undefined, file: string): PlacedFault {
  const position = document?.positionOf(fault.path, fault.onKey === true ? "key" : "value") ?? { line: 1, column: 1 };
  return { file, path: fault.path, message: fault.message, ...position };
}
