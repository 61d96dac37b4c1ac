import { spawn } from "node:child_process";
import { guardChild } from "./guard.ts";
import type { Environment } from "./cache.ts";

/** Options of `runCommand`. */
export interface CommandOptions {
  readonly cwd?: string;
  /** `process.env` by default. */
  readonly env?: Environment;
  /** Written to its standard input. */
  readonly input?: string;
  /** Milliseconds until it is killed. 60 s by default. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal | undefined;
}

/** Thrown when a command could not be started, failed or took too long. Holds the end of what it printed. */
export class CommandFailedError extends Error {
  readonly code = "SBX_COMMAND_FAILED";
  readonly output: string;

  constructor(command: string, reason: string, output: string, options?: ErrorOptions) {
    super(`"${command}" ${reason}${output === "" ? "" : `:\n${output.slice(-3000)}`}`, options);
    this.name = "CommandFailedError";
    this.output = output;
  }
}

/**
 * Runs a command to its end and returns its standard output. It does not outlive this process. Rejects with a
 * CommandFailedError, and with the signal's reason when it aborts.
 */
export async function runCommand(
  command: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<string> {
  const { cwd, input, timeoutMs = 60_000, signal } = options;
  signal?.throwIfAborted();
  const line = [command, ...args].join(" ").slice(0, 300);
  const child = spawn(command, args, {
    stdio: ["pipe", "pipe", "pipe"],
    env: { ...(options.env ?? process.env) },
    ...(cwd !== undefined && { cwd }),
  });
  guardChild(child);
  let stdout = "";
  let all = "";
  child.stdout.on("data", (chunk: Buffer) => {
    stdout += chunk.toString();
    all += chunk.toString();
  });
  child.stderr.on("data", (chunk: Buffer) => (all += chunk.toString()));
  child.stdin.on("error", () => {});
  child.stdin.end(input ?? "");
  const timeout = AbortSignal.timeout(timeoutMs);
  const stop = AbortSignal.any(signal === undefined ? [timeout] : [timeout, signal]);
  const kill = (): void => void child.kill("SIGKILL");
  stop.addEventListener("abort", kill, { once: true });
  try {
    await new Promise<void>((resolve, reject) => {
      child.once("error", (error) => reject(new CommandFailedError(line, "could not run", error.message)));
      child.once("close", (code, by) => {
        if (code === 0) resolve();
        else reject(new CommandFailedError(line, `ended with code ${String(code)}, ${String(by)}`, all.trim()));
      });
    });
  } catch (error) {
    signal?.throwIfAborted();
    if (timeout.aborted)
      throw new CommandFailedError(line, `took longer than ${timeoutMs} ms`, all.trim(), { cause: error });
    throw error;
  } finally {
    stop.removeEventListener("abort", kill);
  }
  return stdout;
}
