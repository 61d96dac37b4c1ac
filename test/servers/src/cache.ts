import { createHash } from "node:crypto";
import {
  access,
  chmod,
  constants,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  utimes,
  writeFile,
} from "node:fs/promises";
import { hostname } from "node:os";
import { delimiter, isAbsolute, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { waitFor } from "./wait-for.ts";

/** Environment variables, as `process.env` has them. */
export type Environment = Readonly<Record<string, string | undefined>>;

const staleMs = 30_000;

/** Path inside this package's folder. */
export function ownPath(...parts: readonly string[]): string {
  // src/ and dist/ are equally deep.
  return join(fileURLToPath(new URL("..", import.meta.url)), ...parts);
}

/** The folder that keeps what was built or installed: `SIGNALBOX_CACHE`, or `.cache` in the repository. */
export function cacheFolder(env: Environment): string {
  const named = env["SIGNALBOX_CACHE"];
  return named === undefined || named === "" ? ownPath("../../.cache") : resolve(named);
}

/** Whether the path is a file that this user may run. */
export async function isExecutable(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return (await stat(path)).isFile();
  } catch {
    return false;
  }
}

/** The executable files of that name on a PATH, in its order. Relative folders are left out. */
export async function onPath(name: string, path: string): Promise<string[]> {
  const candidates = path.split(delimiter).filter((folder) => isAbsolute(folder));
  const found: string[] = [];
  for (const folder of candidates) if (await isExecutable(join(folder, name))) found.push(join(folder, name));
  return found;
}

/** SHA-256 (12 hex digits) over all files below a folder, by relative path and content, and over further texts. */
export async function hashInputs(folder: string, ...further: readonly string[]): Promise<string> {
  const hash = createHash("sha256");
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  for (const file of files.sort())
    hash
      .update(`${relative(folder, file)}\0`)
      .update(await readFile(file))
      .update("\0");
  for (const text of further) hash.update(`${text}\0`);
  return hash.digest("hex").slice(0, 12);
}

/** One thing for the cache. */
export interface CacheEntry {
  readonly root: string;
  /** Name of its folder. It must change with everything that `build` depends on. */
  readonly name: string;
  /** Fills an empty folder. When it rejects, nothing is kept. */
  readonly build: (folder: string) => Promise<void>;
  /** Told once if the work is done here and now. */
  readonly onBuild?: ((name: string) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Returns the folder of a cache entry; builds it first if it is not there. Whoever asks at the same time, also from other
 * processes, waits for the one that builds. A folder is either complete or absent, whatever is killed when.
 */
export async function provideFolder(entry: CacheEntry): Promise<string> {
  const folder = join(entry.root, entry.name);
  if (await exists(folder)) return folder;
  await mkdir(entry.root, { recursive: true });
  const release = await lock(join(entry.root, `.${entry.name}.lock`), folder, entry.signal);
  if (release === undefined) return folder;
  try {
    if (await exists(folder)) return folder;
    entry.onBuild?.(entry.name);
    const prefix = `.building-${entry.name}-`;
    // What a killed process left.
    for (const left of await readdir(entry.root))
      if (left.startsWith(prefix)) await rm(join(entry.root, left), { recursive: true, force: true });
    const work = await mkdtemp(join(entry.root, prefix));
    try {
      await entry.build(work);
      // mkdtemp lets only this user in; the cache may be shared.
      await chmod(work, 0o755);
      await rename(work, folder);
    } finally {
      await rm(work, { recursive: true, force: true });
    }
    return folder;
  } finally {
    await release();
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch {
    return false;
  }
}

/**
 * Takes the lock and returns how to give it back; `undefined` if the folder appeared meanwhile. The holder keeps the file's
 * time fresh. Two may in rare cases take over the same stale lock: then one of the two builds fails.
 */
async function lock(path: string, folder: string, signal?: AbortSignal): Promise<(() => Promise<void>) | undefined> {
  const owner = `${hostname()} ${process.pid}`;
  const taken = await waitFor(
    async () => {
      if (await exists(folder)) return "built";
      try {
        await writeFile(path, owner, { flag: "wx" });
        return "locked";
      } catch {
        if (await isStale(path)) await rm(path, { force: true });
        return undefined;
      }
    },
    { what: `the lock ${path}`, deadlineMs: 45 * 60_000, intervalMs: 200, ...(signal && { signal }) },
  );
  if (taken === "built") return undefined;
  const beat = setInterval(() => {
    const now = new Date();
    utimes(path, now, now).catch(() => clearInterval(beat));
  }, staleMs / 6);
  beat.unref();
  return async () => {
    clearInterval(beat);
    await rm(path, { force: true });
  };
}

async function isStale(path: string): Promise<boolean> {
  try {
    const [host, pid] = (await readFile(path, "utf8")).split(" ");
    if (host === hostname() && pid !== undefined && !isAlive(Number(pid))) return true;
    return Date.now() - (await stat(path)).mtimeMs > staleMs;
  } catch {
    return false;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // Alive, but another user's.
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}
