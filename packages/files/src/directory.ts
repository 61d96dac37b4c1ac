import { watch, type BigIntStats } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { basename, join } from "node:path";

/** What one name in a directory leads to. Symbolic links are followed. */
export interface Entry {
  readonly type: "file" | "directory" | "unreadable";
  /** Changes whenever the content may have changed. */
  readonly signature: string;
  /** Which file it is, whatever its name. */
  readonly inode: string;
  readonly size: number;
  /** Epoch milliseconds. */
  readonly modifiedAt: number;
  /** Why it is unreadable. */
  readonly problem?: NodeJS.ErrnoException;
}

/** Reports changes below a directory; the name is the changed entry, or null where the system does not say. */
export type DirectoryListener = (event: "rename" | "change", name: string | null) => void;

/** Starts watching one directory, without what is below its subdirectories. Throws when the system has no watch left. */
export type WatchDirectory = (
  path: string,
  listener: DirectoryListener,
  onError: (error: NodeJS.ErrnoException) => void,
) => { close(): void };

/** Watches with the operating system's means. */
export const watchDirectory: WatchDirectory = (path, listener, onError) => {
  const watcher = watch(path, listener);
  watcher.on("error", onError);
  return watcher;
};

/** On Linux an event names exactly the entry that changed; elsewhere it is a hint about the directory. */
export const namesAreExact = process.platform === "linux";

/**
 * The known state of one directory, kept up to date by looking again at what events called dirty.
 * Names that begin with a dot are not seen, unless they were asked for.
 */
export class Directory {
  readonly path: string;
  readonly entries = new Map<string, Entry>();
  /** Names written in place since they were last read. */
  readonly written = new Set<string>();
  inode = "";
  /** When its watch began; epoch milliseconds. */
  watchedAt = Infinity;
  /** Why the directory cannot be read now. Its entries are as they were. */
  problem: NodeJS.ErrnoException | undefined;
  /** The only names that matter, or undefined for all. */
  #only: Set<string> | undefined = new Set();
  readonly #paths = new Map<string, string>();
  #dirty = new Set<string>();
  #allDirty = true;
  #watcher: { close(): void } | undefined;
  readonly #watch: WatchDirectory | undefined;
  readonly #onEvent: () => void;
  readonly #onWatchError: (error: NodeJS.ErrnoException) => void;

  constructor(
    path: string,
    watch: WatchDirectory | undefined,
    onEvent: () => void,
    onWatchError: (error: NodeJS.ErrnoException) => void,
  ) {
    this.path = path;
    this.#watch = watch;
    this.#onEvent = onEvent;
    this.#onWatchError = onWatchError;
  }

  get watched(): boolean {
    return this.#watcher !== undefined;
  }

  /** Asks for one name, or for all. */
  want(name: string | undefined): void {
    if (this.#only === undefined) return;
    if (name === undefined) {
      this.#only = undefined;
      this.#allDirty = true;
    } else if (!this.#only.has(name)) {
      this.#only.add(name);
      this.#dirty.add(name);
    }
  }

  /** The path of a name; the same text each time, so that whoever looks it up in a map need not hash it again. */
  pathOf(name: string): string {
    let path = this.#paths.get(name);
    if (path === undefined) {
      path = join(this.path, name);
      this.#paths.set(name, path);
    }
    return path;
  }

  /** Looks at one name again, or at all of them, at the next refresh. */
  mark(name?: string): void {
    if (name === undefined) this.#allDirty = true;
    else this.#dirty.add(name);
  }

  /** Brings the entries up to date. Never throws: see `problem`. */
  async refresh(): Promise<void> {
    if (!this.#allDirty && this.#dirty.size === 0) return;
    const dirty = this.#dirty;
    let all = this.#allDirty;
    this.#dirty = new Set();
    this.#allDirty = false;
    try {
      const inode = identity(await stat(this.path, { bigint: true }));
      // The watch must stand before the names are read, or a change in between would be missed.
      if (inode !== this.inode || this.#watcher === undefined) {
        this.#startWatch();
        all = true;
      }
      this.inode = inode;
      const names = this.#only ?? (all ? await visibleNames(this.path) : dirty);
      const looked = [...names].filter((name) => all || dirty.has(name));
      const found = await Promise.all(looked.map((name) => look(join(this.path, name))));
      if (all) {
        this.entries.clear();
        for (const name of this.#paths.keys()) if (!names.has(name)) this.#paths.delete(name);
      }
      for (const [index, name] of looked.entries()) {
        const entry = found[index];
        if (entry === undefined) {
          this.entries.delete(name);
          this.#paths.delete(name);
        } else this.entries.set(name, entry);
      }
      this.problem = undefined;
    } catch (error) {
      this.problem = error as NodeJS.ErrnoException;
      this.close();
      this.#allDirty = true;
    }
  }

  /** Stops watching. */
  close(): void {
    this.#watcher?.close();
    this.#watcher = undefined;
    this.inode = "";
  }

  #startWatch(): void {
    this.#watcher?.close();
    this.#watcher = undefined;
    this.watchedAt = Date.now();
    if (this.#watch === undefined) return;
    const failed = (error: NodeJS.ErrnoException) => {
      this.#watcher?.close();
      this.#watcher = undefined;
      this.#onWatchError(error);
    };
    try {
      this.#watcher = this.#watch(this.path, (event, name) => this.#hear(event, name), failed);
    } catch (error) {
      failed(error as NodeJS.ErrnoException);
    }
  }

  #hear(event: "rename" | "change", name: string | null): void {
    // A name with two dots is the link that a ConfigMap volume swaps; the directory's own name means the directory itself.
    if (!namesAreExact || name === null || name.startsWith("..") || name === basename(this.path)) {
      this.#allDirty = true;
    } else if (this.#only === undefined ? name.startsWith(".") : !this.#only.has(name)) {
      return;
    }
    if (name !== null) {
      this.#dirty.add(name);
      if (event === "change") this.written.add(name);
    }
    this.#onEvent();
  }
}

async function visibleNames(path: string): Promise<Set<string>> {
  const names = await readdir(path);
  return new Set(names.filter((name) => !name.startsWith(".")));
}

/** What a path leads to; undefined where there is nothing. */
async function look(path: string): Promise<Entry | undefined> {
  try {
    return entryOf(await stat(path, { bigint: true }));
  } catch (error) {
    const problem = error as NodeJS.ErrnoException;
    if (problem.code === "ENOENT" || problem.code === "ENOTDIR") return undefined;
    return { type: "unreadable", signature: "", inode: "", size: 0, modifiedAt: 0, problem };
  }
}

/** The entry for what `stat` said; undefined for sockets, pipes and devices. */
export function entryOf(stats: BigIntStats): Entry | undefined {
  const type = stats.isFile() ? "file" : stats.isDirectory() ? "directory" : undefined;
  if (type === undefined) return undefined;
  const inode = identity(stats);
  return {
    type,
    signature: `${inode}:${stats.size}:${stats.mtimeNs}:${stats.ctimeNs}`,
    inode,
    size: Number(stats.size),
    modifiedAt: Number(stats.mtimeMs),
  };
}

function identity(stats: BigIntStats): string {
  return `${stats.dev}:${stats.ino}`;
}
