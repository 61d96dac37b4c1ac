import type { Problem } from "./registry.ts";

/** How a SourceError is classed. */
export interface SourceErrorOptions extends ErrorOptions {
  /** Trying again cannot help: the run of the registry ends with this error. Default false. */
  readonly permanent?: boolean;
}

/** Thrown by a client or a conversion when a source cannot be read, with the problem that the loops report. */
export class SourceError extends Error {
  readonly code = "SBX_SOURCE_FAILED";
  readonly problem: Problem;
  readonly permanent: boolean;

  constructor(problem: Problem, message: string, options: SourceErrorOptions = {}) {
    super(message, options);
    this.name = "SourceError";
    this.problem = problem;
    this.permanent = options.permanent ?? false;
  }
}
