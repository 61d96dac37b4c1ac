import { spawn } from "node:child_process";
import { once } from "node:events";
import type { Readable } from "node:stream";

/** A program that ends when its standard input ends: with this process at the latest. */
export interface BoundProcess {
  readonly pid: number;
  readonly stdout: Readable;
  /** Resolves with the code when it has ended and everything it printed was read. */
  readonly ended: Promise<number | null>;
  readonly end: () => Promise<void>;
}

/** Starts a program of ours that knows `-until-stdin-ends`. Rejects where it cannot be run. */
export async function startBound(file: string, args: readonly string[]): Promise<BoundProcess> {
  const child = spawn(file, args, { stdio: ["pipe", "pipe", "inherit"] });
  const ended = once(child, "close").then(([code]) => code as number | null);
  await once(child, "spawn");
  child.stdin.on("error", () => {});
  return {
    pid: child.pid ?? 0,
    stdout: child.stdout,
    ended,
    async end() {
      child.stdin.end();
      const force = setTimeout(() => child.kill("SIGKILL"), 5000);
      await ended;
      clearTimeout(force);
    },
  };
}
