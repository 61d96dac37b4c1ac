import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";

/**
 * The command of a process that kills another one, by its id, as soon as its own standard input ends, which the kernel
 * does for us however the test process dies.
 */
export function guardCommand(pid: number): readonly [string, readonly string[]] {
  return ["/bin/sh", ["-c", 'cat >/dev/null; kill -9 "$1" 2>/dev/null', "guard", String(pid)]];
}

/** Makes sure that a child process does not outlive this one. The guard goes when the child does. */
export function guardChild(child: ChildProcess): void {
  if (child.pid === undefined) return;
  const [command, args] = guardCommand(child.pid);
  // Its own group: a Ctrl-C in the terminal must not end the guard before its work.
  const guard = spawn(command, args, { stdio: ["pipe", "ignore", "ignore"], detached: true });
  guard.on("error", () => {});
  guard.stdin.on("error", () => {});
  guard.unref();
  child.once("exit", () => guard.kill("SIGKILL"));
}
