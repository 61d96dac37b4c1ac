import { createHash, randomBytes } from "node:crypto";
import { mkdir, open, readFile, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";

const longestFileName = 200;

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

/** Files below one folder, each replaced by rename, so that a reader never sees half of one. */
export class PublishedFiles {
  readonly #dir: string;
  readonly #written = new Map<string, string>();

  constructor(dir: string) {
    this.#dir = dir;
  }

  /** Paths, below the folder, of the files that this object wrote or found as it would have written them. */
  paths(): IterableIterator<string> {
    return this.#written.keys();
  }

  /** Writes a file unless it has this content already; returns whether it wrote. */
  async write(path: string, content: string, mode: number): Promise<boolean> {
    if (this.#written.get(path) === hashOf(content)) return false;
    const target = join(this.#dir, path);
    const found = this.#written.has(path) ? undefined : await readIfThere(target);
    if (found !== content) await replaceFile(target, content, mode);
    this.#written.set(path, hashOf(content));
    return found !== content;
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

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}

function hashOf(content: string): string {
  return createHash("sha256").update(content).digest("base64");
}
