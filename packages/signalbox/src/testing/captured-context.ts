import { Writable } from "node:stream";
import type { CommandContext } from "../commands/context.ts";

/** A context that keeps what a command writes. */
export interface CapturedContext extends CommandContext {
  /** Text written to standard output so far. */
  out(): string;
  /** Text written to standard error so far. */
  err(): string;
}

/** Makes a context for one command in a test: no terminal, and only the environment given. */
export function capturedContext(environment: Readonly<Record<string, string>> = {}): CapturedContext {
  const out: string[] = [];
  const err: string[] = [];
  const into = (parts: string[]): Writable =>
    new Writable({
      write(chunk: Buffer, _encoding, done) {
        parts.push(chunk.toString());
        done();
      },
    });
  return {
    stdout: into(out),
    stderr: into(err),
    environment,
    terminal: false,
    out: () => out.join(""),
    err: () => err.join(""),
  };
}
