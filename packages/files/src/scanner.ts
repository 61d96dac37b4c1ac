import { basename, dirname, sep } from "node:path";
import { Directory, namesAreExact, type Entry, type WatchDirectory } from "./directory.ts";
import { lazily } from "./parse-documents.ts";
import { failureOf, readWhole, type ReadFailure, type ReadResult, type SourceFile } from "./read-file.ts";
import type { Target } from "./targets.ts";

/** What one look at all paths found, against the look before. Every list is sorted by path. */
export interface FileBatch {
  /** Whether it is the first one: `changed` then holds every file. */
  readonly initial: boolean;
  /** New files, and files with other content than before. */
  readonly changed: readonly SourceFile[];
  /**
   * Files that are gone from a directory or a glob. A file below a directory that cannot be read is not gone, nor is a
   * file that is a configured path by itself: that is a failure for as long as it is away.
   */
  readonly removed: readonly string[];
  /** All paths that cannot be read now, also those of earlier batches. */
  readonly failures: readonly ReadFailure[];
}

/** Waiting times in milliseconds. */
export interface WatchTiming {
  /** How long a file that is written in place must rest before it is read. */
  readonly settleMs: number;
  /** After so long a file that never rests is read all the same. */
  readonly maxSettleMs: number;
  /** How long a missing file may stay away, and a failure may last, before it is believed. */
  readonly graceMs: number;
}

interface Known {
  readonly signature: string;
  readonly inode: string;
  /** Undefined where no text could ever be read. */
  readonly hash: string | undefined;
  /** The bytes of this signature cannot be used. */
  readonly failure?: ReadFailure;
}

interface Sight {
  readonly entry: Entry;
  readonly directory: Directory;
}

interface Look {
  readonly files: Map<string, Sight>;
  readonly failures: Map<string, ReadFailure>;
  /** Paths whose files stay as they were, because they cannot be seen now. */
  readonly hidden: string[];
}

/** Settings of a scanner. */
export interface ScannerOptions {
  readonly targets: readonly Target[];
  readonly maxBytes: number;
  readonly timing: WatchTiming;
  /** Undefined: look once, and take every file as it is. */
  readonly watch: WatchDirectory | undefined;
  readonly onEvent: () => void;
  readonly onWatchError: (error: NodeJS.ErrnoException) => void;
}

/** Looks at the paths, remembers what it saw, and tells what changed. One scan at a time. */
export class Scanner {
  readonly #options: ScannerOptions;
  readonly #directories = new Map<string, Directory>();
  readonly #known = new Map<string, Known>();
  readonly #pending = new Map<string, { signature: string; readonly first: number; changed: number }>();
  readonly #missingSince = new Map<string, number>();
  readonly #failingSince = new Map<string, number>();
  readonly #changed = new Map<string, SourceFile>();
  readonly #removed = new Set<string>();
  #reportedFailures = "[]";
  #initial = true;
  #nextLook = Infinity;
  #reread = false;

  constructor(options: ScannerOptions) {
    this.#options = options;
  }

  /** Whether events cannot be relied on: something is not watched, or cannot be read. */
  get blind(): boolean {
    return this.#failingSince.size > 0 || [...this.#directories.values()].some((directory) => !directory.watched);
  }

  /** Whether the last scan read a file again and found the same bytes. */
  get reread(): boolean {
    return this.#reread;
  }

  /** When to look again without an event, on the clock of `performance.now()`. */
  get nextLook(): number {
    return this.#nextLook;
  }

  /** Looks at what is dirty, or at everything. Gives a batch where there is something to say. */
  async scan(everything: boolean): Promise<FileBatch | undefined> {
    this.#nextLook = Infinity;
    this.#reread = false;
    if (everything) for (const directory of this.#directories.values()) directory.mark();
    const look: Look = { files: new Map(), failures: new Map(), hidden: [] };
    const used = new Set<string>();
    for (const target of this.#options.targets) await this.#lookAt(target, look, used);
    for (const [path, directory] of this.#directories) {
      if (used.has(path)) continue;
      directory.close();
      this.#directories.delete(path);
    }
    await this.#readChanged(look);
    this.#forgetMissing(look);
    return this.#batch(this.#believed(look.failures));
  }

  /** Stops all watches. */
  close(): void {
    for (const directory of this.#directories.values()) directory.close();
    this.#directories.clear();
  }

  async #lookAt(target: Target, look: Look, used: Set<string>): Promise<void> {
    const { path } = target;
    const parent = dirname(path);
    if (parent === path) {
      await this.#walk(target, path, 0, [], look, used);
      return;
    }
    const directory = await this.#directory(parent, basename(path), used);
    const entry = directory.entries.get(basename(path));
    const problem = directory.problem ?? entry?.problem;
    if (problem !== undefined) {
      look.failures.set(path, failureOf(path, problem));
      look.hidden.push(path);
    } else if (entry === undefined) {
      look.failures.set(path, { path, code: "ENOENT", message: `no such file or directory: ${target.spec}` });
      // What was named and is not there is a failure, be it a file or a directory: what it said stays until it is back.
      look.hidden.push(path);
    } else if (entry.type === "directory") {
      await this.#walk(target, path, 0, [], look, used, entry.inode);
    } else if (target.isGlob) {
      look.failures.set(path, { path, code: "NOT_A_DIRECTORY", message: `not a directory: ${path}` });
    } else {
      look.files.set(path, { entry, directory });
      if (dirname(parent) !== parent) {
        const above = await this.#directory(dirname(parent), basename(parent), used);
        if (above.entries.get(basename(parent))?.inode !== directory.inode) directory.mark();
      }
    }
  }

  async #walk(
    target: Target,
    path: string,
    depth: number,
    ancestors: readonly string[],
    look: Look,
    used: Set<string>,
    inode?: string,
  ): Promise<void> {
    const directory = await this.#directory(path, undefined, used, inode);
    if (directory.problem !== undefined) {
      look.failures.set(path, failureOf(path, directory.problem));
      look.hidden.push(path + sep);
      return;
    }
    if (ancestors.includes(directory.inode)) return;
    for (const [name, entry] of directory.entries) {
      const child = directory.pathOf(name);
      if (entry.type === "directory") {
        if (depth >= target.maxDepth) continue;
        await this.#walk(target, child, depth + 1, [...ancestors, directory.inode], look, used, entry.inode);
        continue;
      }
      const below = child.slice(target.path.length + 1);
      const relative = sep === "/" ? below : below.replaceAll(sep, "/");
      if (!target.selects(relative)) continue;
      if (entry.problem === undefined) {
        look.files.set(child, { entry, directory });
      } else {
        look.failures.set(child, failureOf(child, entry.problem));
        look.hidden.push(child);
      }
    }
  }

  async #directory(path: string, name: string | undefined, used: Set<string>, inode?: string): Promise<Directory> {
    let directory = this.#directories.get(path);
    if (directory === undefined) {
      const { watch, onEvent, onWatchError } = this.#options;
      directory = new Directory(path, watch, onEvent, onWatchError);
      this.#directories.set(path, directory);
    }
    used.add(path);
    directory.want(name);
    // The same name leads to another directory now.
    if (inode !== undefined && inode !== directory.inode) directory.mark();
    await directory.refresh();
    return directory;
  }

  async #readChanged(look: Look): Promise<void> {
    const now = performance.now();
    const settled: { path: string; sight: Sight; quick: boolean }[] = [];
    const unsettled = new Set<Directory>();
    for (const [path, sight] of look.files) {
      const known = this.#known.get(path);
      if (known?.signature === sight.entry.signature) {
        if (this.#pending.size > 0) this.#pending.delete(path);
        if (known.failure !== undefined) look.failures.set(path, known.failure);
        continue;
      }
      const readiness = this.#readiness(path, sight, known, now);
      if (readiness !== "wait") settled.push({ path, sight, quick: readiness === "quick" });
      else if (cameWithDirectory(sight)) unsettled.add(sight.directory);
    }
    // What came together is told together, however long ago each was written.
    const ready = settled.filter(({ sight }) => !(unsettled.has(sight.directory) && cameWithDirectory(sight)));
    const results = await inGroups(ready, 16, ({ path }) => readWhole(path, this.#options.maxBytes));
    if (ready.some(({ quick }) => quick)) await twoTurns();
    for (const [index, { path, sight, quick }] of ready.entries()) {
      const result = results[index];
      const overwritten = quick && sight.directory.written.has(basename(path));
      if (result === undefined || overwritten) this.#lookAgain(path, sight, now + this.#options.timing.settleMs);
      else this.#take(path, sight, result, look);
    }
    for (const path of this.#pending.keys()) if (!look.files.has(path)) this.#pending.delete(path);
  }

  /**
   * `quick`: a whole file was moved here, which no event contradicts. `settled`: nobody has written for a while.
   * A file that is written in place may be half done, so it waits.
   */
  #readiness(path: string, sight: Sight, known: Known | undefined, now: number): "quick" | "settled" | "wait" {
    const { timing, watch } = this.#options;
    const { entry, directory } = sight;
    let pending = this.#pending.get(path);
    if (pending?.signature !== entry.signature) {
      pending = { signature: entry.signature, first: pending?.first ?? now, changed: now };
      this.#pending.set(path, pending);
    }
    if (watch === undefined) return "settled";
    const emptied = entry.size === 0 && known?.hash !== undefined;
    const rest = emptied ? timing.graceMs : timing.settleMs;
    const age = Date.now() - entry.modifiedAt;
    if (age >= rest || now - pending.changed >= rest || now - pending.first >= timing.maxSettleMs) return "settled";
    // Every write since the watch began was reported by name, so a new file that nobody wrote to was moved here.
    const moved = known?.inode !== entry.inode && entry.size > 0 && !directory.written.has(basename(path));
    if (moved && namesAreExact && directory.watched && entry.modifiedAt > directory.watchedAt) return "quick";
    this.#lookAgain(path, sight, now + Math.max(1, age >= 0 ? rest - age : rest));
    return "wait";
  }

  #take(path: string, sight: Sight, result: ReadResult, look: Look): void {
    if (result.type === "torn") {
      const now = performance.now();
      this.#lookAgain(path, sight, now + 1);
      if (now - (this.#pending.get(path)?.first ?? now) < 2 * this.#options.timing.maxSettleMs) return;
      look.failures.set(path, { path, code: "TORN", message: "the file changes faster than it can be read" });
    }
    this.#pending.delete(path);
    if (result.type === "torn") return;
    sight.directory.written.delete(basename(path));
    const known = this.#known.get(path);
    if (result.type === "failed") {
      look.failures.set(path, result.failure);
      const { signature, inode } = sight.entry;
      if (result.lasting) this.#known.set(path, { signature, inode, hash: known?.hash, failure: result.failure });
      return;
    }
    const { file, entry } = result;
    this.#known.set(path, { signature: entry.signature, inode: entry.inode, hash: file.hash });
    if (known?.hash === file.hash) {
      this.#reread = true;
      return;
    }
    this.#removed.delete(path);
    this.#changed.set(path, file);
  }

  #forgetMissing(look: Look): void {
    const now = performance.now();
    const inodes = lazily(() => new Set([...look.files.values()].map(({ entry }) => entry.inode)));
    for (const [path, known] of this.#known) {
      if (look.files.has(path)) {
        if (this.#missingSince.size > 0) this.#missingSince.delete(path);
        continue;
      }
      const hidden = look.hidden.some((place) => path === place || (place.endsWith(sep) && path.startsWith(place)));
      if (hidden || look.hidden.some((place) => path.startsWith(place + sep))) {
        this.#missingSince.delete(path);
        continue;
      }
      const since = this.#missingSince.get(path) ?? now;
      const renamed = inodes().has(known.inode);
      if (!renamed && now - since < this.#options.timing.graceMs) {
        this.#missingSince.set(path, since);
        this.#nextLook = Math.min(this.#nextLook, since + this.#options.timing.graceMs);
        continue;
      }
      this.#missingSince.delete(path);
      this.#known.delete(path);
      this.#changed.delete(path);
      if (known.hash !== undefined) this.#removed.add(path);
    }
  }

  /** Failures that lasted; all of them at the first look, when there is nothing older to keep. */
  #believed(failures: ReadonlyMap<string, ReadFailure>): readonly ReadFailure[] {
    const now = performance.now();
    for (const path of this.#failingSince.keys()) if (!failures.has(path)) this.#failingSince.delete(path);
    const believed: ReadFailure[] = [];
    for (const [path, failure] of failures) {
      const since = this.#failingSince.get(path) ?? (this.#initial ? -Infinity : now);
      this.#failingSince.set(path, since);
      if (now - since >= this.#options.timing.graceMs) believed.push(failure);
      else this.#nextLook = Math.min(this.#nextLook, since + this.#options.timing.graceMs);
    }
    return believed.sort(byPath);
  }

  #batch(failures: readonly ReadFailure[]): FileBatch | undefined {
    // The first batch is whole: it waits for files that are still being written.
    if (this.#initial && this.#pending.size > 0) return undefined;
    const reported = JSON.stringify(failures);
    const news = this.#changed.size > 0 || this.#removed.size > 0 || reported !== this.#reportedFailures;
    if (!this.#initial && !news) return undefined;
    const changed = [...this.#changed.values()].sort(byPath);
    const removed = [...this.#removed].sort();
    const batch: FileBatch = { initial: this.#initial, changed, removed, failures };
    this.#initial = false;
    this.#reportedFailures = reported;
    this.#changed.clear();
    this.#removed.clear();
    return batch;
  }

  #lookAgain(path: string, sight: Sight, at: number): void {
    sight.directory.mark(basename(path));
    this.#nextLook = Math.min(this.#nextLook, at);
  }
}

/** Was the file there when its directory was first seen, as with one that was put together elsewhere and then swapped in? */
function cameWithDirectory({ directory, entry }: Sight): boolean {
  return entry.modifiedAt <= directory.watchedAt;
}

function byPath(a: { readonly path: string }, b: { readonly path: string }): number {
  return a.path < b.path ? -1 : a.path > b.path ? 1 : 0;
}

async function inGroups<T, R>(items: readonly T[], size: number, work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  for (let start = 0; start < items.length; start += size) {
    results.push(...(await Promise.all(items.slice(start, start + size).map(work))));
  }
  return results;
}

/** Lets the event loop poll once more, so that every write that came before has been reported. */
async function twoTurns(): Promise<void> {
  for (let turn = 0; turn < 2; turn++) await new Promise((resolve) => setImmediate(resolve));
}
