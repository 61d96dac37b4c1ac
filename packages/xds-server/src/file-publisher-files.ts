import { createHash, randomBytes } from "node:crypto";
import type { Stats } from "node:fs";
import { chmod, lstat, mkdir, open, readdir, readFile, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";

const longestFileName = 200;
const ownFile = /^[A-Za-z0-9_%-][A-Za-z0-9_.%~-]*\.json$/;
const temporaryFile = /^\.[0-9a-f]{16}\.tmp$/;
const looksAtOnce = 64;

/** A name as a file name: percent-encoded, and cut with a hash when it is long. Different names give different files. */
export function fileNameOf(name: string): string {
  let encoded = "";
  for (const byte of new TextEncoder().encode(name)) {
    const character = String.fromCharCode(byte);
    const plain = /[A-Za-z0-9_.-]/.test(character) && !(character === "." && encoded === "");
    encoded += plain ? character : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  }
  if (encoded.length <= longestFileName) return encoded;
  // No plain name contains "%~".
  return `${encoded.slice(0, 120)}%~${createHash("sha256").update(name).digest("hex").slice(0, 32)}`;
}

interface Written {
  readonly hash: string;
  /** What tells whether someone else changed the file. */
  readonly state: string;
}

/** Files below one folder, each replaced by rename, so that a reader never sees half of one. */
export class PublishedFiles {
  readonly #dir: string;
  readonly #written = new Map<string, Written | undefined>();

  constructor(dir: string) {
    this.#dir = dir;
  }

  /** Paths, below the folder, of the files that this object wrote, found as it would have written them, or adopted. */
  paths(): IterableIterator<string> {
    return this.#written.keys();
  }

  /**
   * Takes over what an earlier run left in a folder: files whose name and whose content, by `isOurs`, are such as this
   * object writes. Anything else stays untouched. Half-written files of an earlier run are removed.
   */
  async adopt(folder: string, isOurs: (content: string) => boolean): Promise<void> {
    for (const name of await namesIn(join(this.#dir, folder))) {
      const path = `${folder}/${name}`;
      const target = join(this.#dir, path);
      if (this.#written.has(path) || !(ownFile.test(name) || temporaryFile.test(name))) continue;
      if ((await lookAt(target))?.isFile() !== true) continue;
      if (temporaryFile.test(name)) await rm(target, { force: true });
      else if (isOurs((await readIfThere(target)) ?? "")) this.#written.set(path, undefined);
    }
  }

  /** Finds out which of the files someone else changed, so that the next `write` of each repairs it. */
  async look(): Promise<void> {
    const known = [...this.#written];
    for (let from = 0; from < known.length; from += looksAtOnce) {
      await Promise.all(
        known.slice(from, from + looksAtOnce).map(async ([path, written]) => {
          if (written === undefined) return;
          const state = stateOf(await lookAt(join(this.#dir, path)));
          if (state !== written.state) this.#written.set(path, undefined);
        }),
      );
    }
  }

  /** Writes a file unless it has this content and mode already; returns whether it wrote. */
  async write(path: string, content: string, mode: number): Promise<boolean> {
    const hash = hashOf(content);
    const known = this.#written.get(path);
    if (known?.hash === hash) return false;
    const target = join(this.#dir, path);
    const found = known === undefined ? await lookAt(target) : undefined;
    const same = found?.isFile() === true && (await readIfThere(target)) === content;
    if (!same) await replaceFile(target, content, mode);
    else if ((found.mode & 0o777) !== mode) await chmod(target, mode);
    this.#written.set(path, { hash, state: stateOf(await lookAt(target)) });
    return !same;
  }

  /** Removes a file that this object wrote. */
  async remove(path: string): Promise<void> {
    if (!this.#written.has(path)) return;
    await rm(join(this.#dir, path), { force: true });
    this.#written.delete(path);
  }
}

async function replaceFile(target: string, content: string, mode: number): Promise<void> {
  await mkdir(dirname(target), { recursive: true });
  const temporary = join(dirname(target), `.${randomBytes(8).toString("hex")}.tmp`);
  try {
    const file = await open(temporary, "wx", mode);
    try {
      await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, target);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

/** Without following a link: what is published here is a file. */
async function lookAt(path: string): Promise<Stats | undefined> {
  return ifThere(lstat(path));
}

function stateOf(stats: Stats | undefined): string {
  return stats === undefined ? "" : [stats.ino, stats.size, stats.mode, stats.mtimeMs, stats.ctimeMs].join(" ");
}

async function namesIn(folder: string): Promise<string[]> {
  return (await ifThere(readdir(folder))) ?? [];
}

async function readIfThere(path: string): Promise<string | undefined> {
  return ifThere(readFile(path, "utf8"));
}

async function ifThere<Value>(read: Promise<Value>): Promise<Value | undefined> {
  try {
    return await read;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}

function hashOf(content: string): string {
  return createHash("sha256").update(content).digest("base64");
}
