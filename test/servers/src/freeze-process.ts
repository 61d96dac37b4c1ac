import type { ChildProcess } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";

/** Milliseconds that the threads of a process may take to stop. */
const deadlineMs = 5_000;

/**
 * Stops the clock of a process (SIGSTOP) and returns when all its threads have stopped: the signal only asks for it, and
 * a thread that runs on another core still answers what it just read. Blocks this process meanwhile, for a millisecond or
 * so, so that nothing that a test holds goes on between. Where there is no /proc, it only sends the signal. Throws when a
 * thread still runs after 5 s.
 */
export function freezeProcess(child: ChildProcess): void {
  child.kill("SIGSTOP");
  const tasks = `/proc/${String(child.pid)}/task`;
  if (!existsSync("/proc/self/task")) return;
  const end = performance.now() + deadlineMs;
  while (runs(tasks)) {
    if (performance.now() > end)
      throw new Error(`process ${String(child.pid)} still runs ${deadlineMs} ms after SIGSTOP`);
    Atomics.wait(pause, 0, 0, 1);
  }
}

const pause = new Int32Array(new SharedArrayBuffer(4));

/** True while a thread is in any state but stopped (T, t) or ended (Z, X), by proc_pid_stat(5). */
function runs(tasks: string): boolean {
  return names(tasks).some((task) => {
    const stat = textOf(`${tasks}/${task}/stat`);
    // The name before the state may hold spaces and brackets.
    return stat !== "" && !"TtZX".includes(stat.charAt(stat.lastIndexOf(")") + 2));
  });
}

/** The threads, none when the process has ended. */
function names(tasks: string): string[] {
  try {
    return readdirSync(tasks);
  } catch {
    return [];
  }
}

/** A thread that has ended since it was listed has no text. */
function textOf(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
