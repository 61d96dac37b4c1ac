import { watchDirectory, type WatchDirectory } from "./directory.ts";
import { defaultMaxBytes } from "./parse-documents.ts";
import { Scanner, type FileBatch, type WatchTiming } from "./scanner.ts";
import { parseTarget } from "./targets.ts";

/** Which files to read. */
export interface ReadFilesOptions {
  /** Files, directories (with `.yaml`, `.yml` and `.json` files at any depth) and globs. Names that begin with a dot are skipped. */
  readonly paths: readonly string[];
  /** Folder that relative paths start from. Default: the working directory. */
  readonly baseDir?: string;
  /** Largest file in bytes; a larger one is a failure. Default 16 MiB. */
  readonly maxBytes?: number;
}

/** Which files to watch, and whom to tell. */
export interface WatchDocumentsOptions extends ReadFilesOptions {
  /** Ends the watching. */
  readonly signal: AbortSignal;
  /** Gets the first batch, also an empty one, and then one for each change. What it throws ends the watching. */
  readonly onChange: (batch: FileBatch) => void | Promise<void>;
  /** A look at everything, or at what an event named, found nothing new. */
  readonly onUnchanged?: () => void;
  /** Told once when the system has no watch left; changes are then found by looking every second. */
  readonly logger?: { warn(event: string, fields?: object): void };
  readonly timing?: Partial<WatchTiming & PollTiming>;
  /** Replaces the operating system's watches. One that throws leaves everything to polling. */
  readonly watchDirectory?: WatchDirectory;
}

/** Times between looks, in milliseconds. */
export interface PollTiming {
  /** How long events are gathered before the look. */
  readonly quietMs: number;
  /** How long they are gathered at most. */
  readonly maxQuietMs: number;
  /** A look at everything, whatever the events say: network file systems, links into directories that are not watched. */
  readonly rescanMs: number;
  /** The same while something cannot be watched or read. */
  readonly pollMs: number;
}

const defaults: WatchTiming & PollTiming = {
  settleMs: 20,
  maxSettleMs: 500,
  graceMs: 100,
  quietMs: 2,
  maxQuietMs: 20,
  rescanMs: 10_000,
  pollMs: 1_000,
};

/** Reads all files once, as they are now. Never throws: what cannot be read is in `failures`. */
export async function readFiles(options: ReadFilesOptions): Promise<FileBatch> {
  const scanner = new Scanner({
    ...common(options),
    timing: defaults,
    watch: undefined,
    onEvent() {},
    onWatchError() {},
  });
  try {
    for (;;) {
      const batch = await scanner.scan(true);
      if (batch !== undefined) return batch;
    }
  } finally {
    scanner.close();
  }
}

/**
 * Tells what files hold, and every change of them, until the signal aborts; then resolves with all watches released.
 * A renamed-in file is told within milliseconds, a file written in place once it rests; all that changed together comes as one batch.
 * A deleted file is removed; below a directory that cannot be read, everything stays as it was.
 * A writer that pauses longer than the settle time can be seen half done: write a temporary file and rename it.
 */
export async function watchDocuments(options: WatchDocumentsOptions): Promise<void> {
  const { signal, onChange, onUnchanged } = options;
  const timing = { ...defaults, ...options.timing };
  const bell = new Bell();
  let warned = false;
  const scanner = new Scanner({
    ...common(options),
    timing,
    watch: options.watchDirectory ?? watchDirectory,
    onEvent: () => bell.ring(),
    onWatchError: ({ code, message }) => {
      if (!warned)
        options.logger?.warn("file-watch-failed", { code, error: message, hint: hint(code), pollMs: timing.pollMs });
      warned = true;
    },
  });
  const stop = () => bell.ring();
  signal.addEventListener("abort", stop);
  try {
    let everythingAt = 0;
    while (!signal.aborted) {
      const everything = performance.now() >= everythingAt;
      bell.silence();
      const batch = await scanner.scan(everything);
      if (stopped(signal)) break;
      if (everything) everythingAt = performance.now() + timing.rescanMs;
      if (scanner.blind) everythingAt = Math.min(everythingAt, performance.now() + timing.pollMs);
      if (batch !== undefined) await onChange(batch);
      else if (everything || scanner.reread) onUnchanged?.();
      const rang = await bell.wait(Math.min(everythingAt, scanner.nextLook));
      if (rang) await gather(bell, timing, signal);
    }
  } finally {
    signal.removeEventListener("abort", stop);
    scanner.close();
  }
}

function common(options: ReadFilesOptions) {
  const { paths, baseDir = process.cwd(), maxBytes = defaultMaxBytes } = options;
  return { targets: paths.map((path) => parseTarget(path, baseDir)), maxBytes };
}

// The flag changes while the loop waits, which the compiler cannot see.
function stopped(signal: AbortSignal): boolean {
  return signal.aborted;
}

function hint(code: string | undefined): string {
  if (code === "ENOSPC") return "raise the sysctl fs.inotify.max_user_watches";
  if (code === "EMFILE") return "raise the sysctl fs.inotify.max_user_instances or the limit of open files";
  return "changes are found by looking at the files";
}

/** Waits until no event came for a moment, so that what changes together is seen together. */
async function gather(bell: Bell, timing: PollTiming, signal: AbortSignal): Promise<void> {
  const end = performance.now() + timing.maxQuietMs;
  while (!signal.aborted && performance.now() < end) {
    bell.silence();
    if (!(await bell.wait(performance.now() + timing.quietMs))) return;
  }
}

/** A bell that keeps ringing until it is silenced: an event between two waits is not lost. */
class Bell {
  #rang = false;
  #wake: (() => void) | undefined;

  ring(): void {
    this.#rang = true;
    this.#wake?.();
  }

  silence(): void {
    this.#rang = false;
  }

  /** Resolves with true when it rings, with false at the given time on the clock of `performance.now()`. */
  async wait(until: number): Promise<boolean> {
    if (this.#rang) return true;
    let timer: NodeJS.Timeout | undefined;
    try {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        timer = setTimeout(resolve, Math.max(0, Math.min(until - performance.now(), 2 ** 31 - 1)));
      });
    } finally {
      clearTimeout(timer);
      this.#wake = undefined;
    }
    return this.#rang;
  }
}
