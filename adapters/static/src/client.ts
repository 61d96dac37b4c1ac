import { isAbsolute, relative } from "node:path";
import { parseDocuments, readFiles, watchDocuments, type FileBatch, type ParsedText } from "@signalbox/files";
import type { Logger, Problem } from "@signalbox/registry";
import type { StaticConfig } from "./config.ts";

/** The documents of one file. */
export interface StaticFile {
  /** As errors show it: relative to the base folder where it lies below. */
  readonly file: string;
  readonly parsed: ParsedText;
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

/** Which files, and where relative paths begin. */
export interface SourceOptions {
  readonly config: Pick<StaticConfig, "paths" | "maxFileBytes">;
  readonly baseDir: string;
}

/** Reads all files once. */
export async function readSource(options: SourceOptions): Promise<StaticBatch> {
  return parseBatch(await readFiles(fileOptions(options)), options);
}

/** Reads all files and every change of them until the signal aborts. The first batch holds every file. */
export async function watchSource(
  options: SourceOptions & {
    readonly signal: AbortSignal;
    readonly logger: Logger;
    readonly onChange: (batch: StaticBatch) => void;
    readonly onUnchanged: () => void;
  },
): Promise<void> {
  const { signal, logger, onChange, onUnchanged } = options;
  await watchDocuments({
    ...fileOptions(options),
    signal,
    logger,
    onChange: (batch) => onChange(parseBatch(batch, options)),
    onUnchanged,
  });
}

function fileOptions({ config, baseDir }: SourceOptions) {
  return { paths: config.paths, baseDir, maxBytes: config.maxFileBytes };
}

function parseBatch(batch: FileBatch, { config, baseDir }: SourceOptions): StaticBatch {
  return {
    changed: batch.changed.map(({ path, text }) => {
      const file = shownName(path, baseDir);
      return { file, parsed: parseDocuments(text, { file, maxBytes: config.maxFileBytes }) };
    }),
    removed: batch.removed.map((path) => shownName(path, baseDir)),
    unreadable: batch.failures.map(({ path, code, message }) => ({ file: shownName(path, baseDir), code, message })),
  };
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
