import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { JournalLockedError } from "./errors.ts";
import type { JournalFiles } from "./files.ts";

/** The right to write into a folder. */
export interface Lock {
  /** Locks of processes that ended without releasing them. */
  readonly takenOver: readonly string[];
  release(): Promise<void>;
}

interface Owner {
  readonly host: string;
  readonly pid: number;
  /** When the process began, as the system counts; empty where it does not say. Tells a process from a later one with its id. */
  readonly began: string;
}

/**
 * Takes the lock of a folder. Throws a JournalLockedError while another process, or another journal of this one, holds it.
 *
 * Each writer makes a file of its own name first, and looks at the others' after that. Of two that come at once at least one sees the
 * other and steps back; possibly both do. No name is ever used twice, so nobody can delete a lock that was just made. The
 * processes of another host cannot be seen from here: their locks count until somebody deletes them.
 */
export async function lockFolder(files: JournalFiles, dir: string): Promise<Lock> {
  const host = hostname();
  const own = lockName({ host, pid: process.pid, began: await beginOf(process.pid) });
  const path = join(dir, own);
  await (await files.open(path, "create")).close();
  try {
    const takenOver: string[] = [];
    for (const name of await files.list(dir)) {
      const owner = name === own ? undefined : ownerOf(name);
      if (owner === undefined) continue;
      if (owner.host !== host || (await isRunning(owner))) {
        throw new JournalLockedError(join(dir, name), owner.host, owner.pid);
      }
      takenOver.push(name);
    }
    for (const name of takenOver) await files.remove(join(dir, name));
    return { takenOver, release: () => files.remove(path) };
  } catch (error) {
    await files.remove(path);
    throw error;
  }
}

const pattern = /^writer_([^_]*)_([0-9]+)_([0-9]*)_[0-9a-f]+\.lock$/;

function lockName({ host, pid, began }: Owner): string {
  // Underscores part the name; those of the host are written as escapes.
  const writtenHost = encodeURIComponent(host).replaceAll("_", "%5F");
  return `writer_${writtenHost}_${pid}_${began}_${randomBytes(8).toString("hex")}.lock`;
}

function ownerOf(name: string): Owner | undefined {
  const [, host, pid, began] = pattern.exec(name) ?? [];
  if (host === undefined || began === undefined) return undefined;
  try {
    return { host: decodeURIComponent(host), pid: Number(pid), began };
  } catch {
    return undefined;
  }
}

async function isRunning({ pid, began }: Owner): Promise<boolean> {
  try {
    process.kill(pid, 0);
  } catch (error) {
    // EPERM: it runs, and is somebody else's.
    if (error instanceof Error && "code" in error && error.code === "ESRCH") return false;
  }
  const now = await beginOf(pid);
  return began === "" || now === "" || began === now;
}

/** Where a container starts anew, its process has the same id on the same host; only the time of its beginning differs. */
async function beginOf(pid: number): Promise<string> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, "utf8");
    // The name of the program stands in brackets and may hold anything; the 20th field after it is the time.
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? "";
  } catch {
    return "";
  }
}
