/** One mistake in a configuration: where, and what is wrong. */
export interface ConfigFault {
  /** Path of keys and indexes, outermost first. */
  readonly path: readonly (string | number)[];
  readonly message: string;
  /** The key itself is wrong, not its value. */
  readonly onKey?: boolean;
}

/** Thrown when a configuration cannot be used. Names every faulty field. */
export class ConfigError extends Error {
  readonly code = "SBX_CONFIG_INVALID";
  readonly faults: readonly ConfigFault[];

  constructor(faults: readonly ConfigFault[], options?: ErrorOptions) {
    super(faults.map((fault) => `${formatPath(fault.path)}: ${fault.message}`).join("\n"), options);
    this.name = "ConfigError";
    this.faults = faults;
  }
}

/** Writes a path the way users write it: `registries[0].paths`. */
export function formatPath(path: readonly (string | number)[]): string {
  let text = "";
  for (const part of path) text += typeof part === "number" ? `[${part}]` : text === "" ? part : `.${part}`;
  return text === "" ? "(root)" : text;
}
