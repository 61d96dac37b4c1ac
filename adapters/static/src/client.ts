import { isAbsolute, relative } from "node:path";
import { readFiles, watchDocuments, type DocumentReader, type FileBatch, type ReadText } from "@signalbox/files";
import type { Logger, Problem } from "@signalbox/registry";
import { atOnce, type Slices, type Steps } from "@signalbox/slices";
import type { StaticConfig } from "./config.ts";
import type { PartContent } from "./convert/file-content.ts";

/** What one file says. */
export interface StaticFile {
  /** As errors show it: relative to the base folder where it lies below. */
  readonly file: string;
  readonly read: ReadText<PartContent>;
}

/** A file or directory that cannot be read now. */
export interface UnreadableFile {
  readonly file: string;
  /** `ENOENT`, `EACCES`, `TOO_LARGE`, `NOT_UTF8` and other codes. */
  readonly code: string;
  readonly message: string;
}

/** What changed in the files. */
export interface StaticBatch {
  readonly changed: readonly StaticFile[];
  readonly removed: readonly string[];
  /** All that cannot be read now. */
  readonly unreadable: readonly UnreadableFile[];
}

/** Which files, where relative paths begin, and how a file is read, by the name that errors show. */
export interface SourceOptions {
  readonly config: Pick<StaticConfig, "paths" | "maxFileBytes">;
  readonly baseDir: string;
  readonly readerOf: (file: string) => DocumentReader<PartContent>;
}

/** Reads all files once. */
export async function readSource(options: SourceOptions): Promise<StaticBatch> {
  return atOnce(readBatch(await readFiles(fileOptions(options)), options, new Map()));
}

/**
 * Reads all files and every change of them, in slices, until the signal aborts. The first batch holds every file. What `onChange` does with a batch is
 * waited for before the next one is read.
 */
export async function watchSource(
  options: SourceOptions & {
    readonly signal: AbortSignal;
    readonly logger: Logger;
    readonly slices: Slices;
    readonly onChange: (batch: StaticBatch) => Promise<void>;
    readonly onUnchanged: () => void;
  },
): Promise<void> {
  const { signal, logger, onChange, onUnchanged, slices } = options;
  const readers = new Map<string, DocumentReader<PartContent>>();
  await watchDocuments({
    ...fileOptions(options),
    signal,
    logger,
    onChange: async (batch) => {
      const read = await slices.run(readBatch(batch, options, readers));
      if (!signal.aborted) await onChange(read);
    },
    onUnchanged,
  });
}

function fileOptions({ config, baseDir }: SourceOptions) {
  return { paths: config.paths, baseDir, maxBytes: config.maxFileBytes };
}

function* readBatch(
  batch: FileBatch,
  { baseDir, readerOf }: SourceOptions,
  readers: Map<string, DocumentReader<PartContent>>,
): Steps<StaticBatch> {
  const changed: StaticFile[] = [];
  for (const { path, text } of batch.changed) {
    const file = shownName(path, baseDir);
    const reader = readers.get(file) ?? readerOf(file);
    readers.set(file, reader);
    changed.push({ file, read: yield* reader.read(text) });
  }
  const removed = batch.removed.map((path) => shownName(path, baseDir));
  for (const file of removed) readers.delete(file);
  const unreadable = batch.failures.map(({ path, code, message }) => ({
    file: shownName(path, baseDir),
    code,
    message,
  }));
  return { changed, removed, unreadable };
}

function shownName(path: string, baseDir: string): string {
  const below = relative(baseDir, path);
  return below === "" || below.startsWith("..") || isAbsolute(below) ? path : below;
}

/** What to call the trouble: files that cannot be read, or else files that say nonsense. */
export function problemOf(unreadable: readonly UnreadableFile[]): Problem {
  if (unreadable.length === 0) return "PROTOCOL_ERROR";
  return unreadable.every(({ code }) => code === "EACCES" || code === "EPERM") ? "AUTH_FAILED" : "UNREACHABLE";
}
