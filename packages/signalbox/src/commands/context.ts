import type { Writable } from "node:stream";

/** What a command has to do with the world outside. Tests give their own. */
export interface CommandContext {
  readonly stdout: Writable;
  readonly stderr: Writable;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Whether standard error is a terminal with a person before it. */
  readonly terminal: boolean;
}

/** Ends a command with this exit code and these words for standard error. */
export class CommandFailure extends Error {
  readonly code = "SBX_COMMAND";
  readonly exitCode: number;

  constructor(message: string, exitCode: number, options?: ErrorOptions) {
    super(message, options);
    this.name = "CommandFailure";
    this.exitCode = exitCode;
  }
}

/** Exit codes: 1 the command failed, 2 it was not called as it must be (usage or configuration). */
export const exitCodes = { failed: 1, usage: 2 } as const;
