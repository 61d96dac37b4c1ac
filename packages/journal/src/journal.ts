import { atOnce, Slices, type Steps } from "@signalbox/slices";
import { ChainWriter } from "./chain-writer.ts";
import type { OpenSegment, Piece } from "./chain-writer.ts";
import { memberEncoder } from "./encode.ts";
import { JournalClosedError, JournalWriteError } from "./errors.ts";
import { nodeFiles } from "./files.ts";
import type { JournalFiles } from "./files.ts";
import { maxLineBytes } from "./format.ts";
import { lockFolder } from "./lock.ts";
import type { Lock } from "./lock.ts";
import { reporter } from "./problems.ts";
import type { ReportProblem } from "./problems.ts";
import type { JournalEntry, LossReason } from "./records.ts";
import { resume } from "./recovery.ts";
import type { Resumed } from "./recovery.ts";
import { keptKeys } from "./redact.ts";
import type { RedactionRules } from "./redact.ts";
import { keptSegments, SegmentStore } from "./segment-store.ts";

/** The bounds of a journal. */
export interface JournalLimits {
  /** A segment that would grow over this is followed by a new one. Only a single larger record makes it larger. Default 64 MiB. */
  readonly maxSegmentBytes: number;
  /** A record this much later than its segment's first begins a new one. Default one hour. */
  readonly maxSegmentAgeMs: number;
  /** Whole old segments go when all together have more. Default 1 GiB. */
  readonly maxTotalBytes: number;
  /** Segments go when all of their records are this much older than the newest record. Default seven days. */
  readonly maxAgeMs: number;
  /** What waits for the disk has at most so many bytes, or is one record. Default 64 MiB. */
  readonly maxPendingBytes: number;
  /** A larger record is lost. At most, and by default, 256 MiB. */
  readonly maxRecordBytes: number;
}

/** The bounds of a journal whose configuration says nothing about them. */
export const defaultLimits: JournalLimits = {
  maxSegmentBytes: 64 * 1024 * 1024,
  maxSegmentAgeMs: 3_600_000,
  maxTotalBytes: 1024 * 1024 * 1024,
  maxAgeMs: 7 * 86_400_000,
  maxPendingBytes: 64 * 1024 * 1024,
  maxRecordBytes: maxLineBytes,
};

/** How a journal is opened. */
export interface JournalOptions {
  /** The folder; made where it is missing. One journal has it for itself. */
  readonly dir: string;
  readonly limits?: Partial<JournalLimits>;
  readonly redact?: RedactionRules;
  /** What is written survives a power cut after at most this long. Default 1000. */
  readonly syncEveryMs?: number;
  /** How long after a failed write it is tried again. Default 1000. */
  readonly retryEveryMs?: number;
  /** Called for each problem. */
  readonly onProblem?: ReportProblem;
  /** Default: the machine's own. */
  readonly files?: JournalFiles;
  /** Milliseconds, for how long an entry is encoded in one turn of the event loop. Default: the process's own. */
  readonly now?: () => number;
  /** Calls `run` once after `ms` milliseconds, unless the function that it returns is called before. Default: the process's timers. */
  readonly after?: (ms: number, run: () => void) => () => void;
}

/** How a journal is. */
export interface JournalStatus {
  /** The sequence number of the newest entry, also of one that waits or is lost; 0 before the first. */
  readonly seq: number;
  /** Time of the newest record, in epoch milliseconds; 0 before the first. */
  readonly at: number;
  /** What waits for the disk. */
  readonly pending: { readonly records: number; readonly bytes: number };
  /** Written, but a power cut could still take the last of it. */
  readonly unsynced: boolean;
  /** Entries lost since the journal was opened. */
  readonly lost: number;
  /** Why the disk does not take what waits; absent while it does. */
  readonly degraded?: { readonly message: string };
  /**
   * Append a snapshot soon: there was none since the journal was opened, since the newest segment began or since entries were lost.
   * With one in every segment, the oldest segment that is kept can be replayed by itself. False while entries are being
   * lost: the snapshot would be too.
   */
  readonly snapshotWanted: boolean;
  readonly segments: number;
  /** Bytes of all segments. */
  readonly bytes: number;
}

/** An open journal. */
export interface Journal {
  /**
   * Takes an entry and returns its sequence number. Never waits and, before `close`, never throws: what cannot be written is lost,
   * reported, and a gap record stands in its place. The entry is redacted and encoded at once, so it may change afterwards; but for an `update`
   * and a `snapshot`, which may be as large as the catalog: what is in these must stay as it is until it is written.
   * A time before that of the last entry is taken as that one.
   */
  append(entry: JournalEntry): number;
  /** Resolves once everything appended before survives a power cut. Rejects with a JournalWriteError after one failed attempt. */
  flush(): Promise<void>;
  /** Writes what waits, as far as the disk takes it, and gives the folder free. Never rejects. */
  close(): Promise<void>;
  status(): JournalStatus;
}

/**
 * Opens the journal of a folder, or begins one. Throws a JournalLockedError while another writer has the folder, a JournalVersionError
 * where a newer release wrote it, a RangeError for limits that cannot be kept, and what the file system throws.
 */
export async function createJournal(options: JournalOptions): Promise<Journal> {
  const limits = checked({ ...defaultLimits, ...options.limits });
  const { dir, files = nodeFiles } = options;
  const report = reporter(options.onProblem);
  await files.makeFolder(dir);
  const lock = await lockFolder(files, dir);
  try {
    for (const file of lock.takenOver) {
      report({ code: "LOCK_TAKEN_OVER", message: "the last writer ended without releasing its lock", file });
    }
    const resumed = await resume(files, dir, report);
    const store = new SegmentStore(files, dir, limits, await keptSegments(files, dir, report), report);
    if (resumed.segment) await store.continue(resumed.segment);
    try {
      await store.prune(resumed.end.at);
    } catch (error) {
      await store.close();
      throw error;
    }
    return new OpenJournal(options, limits, resumed, store, lock, report);
  } catch (error) {
    await lock.release();
    throw error;
  }
}

function checked(limits: JournalLimits): JournalLimits {
  for (const [name, value] of Object.entries(limits) as [string, number][]) {
    if (!(value > 0)) throw new RangeError(`${name} is ${value}; it must be more than 0`);
  }
  if (limits.maxRecordBytes > maxLineBytes) throw new RangeError(`maxRecordBytes is more than ${maxLineBytes}`);
  return limits;
}

const entryTypes = new Set<string>([
  "update",
  "alive",
  "degraded",
  "tick",
  "decision",
  "operator",
  "config",
  "snapshot",
] satisfies JournalEntry["type"][]);

/** How much is written at once, but for a single record that has more. */
const batchBytes = 1024 * 1024;
/** No front and seal of a record has more bytes. */
const frameBytes = 512;

/** What a registry said may be as large as the catalog. */
function isLarge({ type }: JournalEntry): boolean {
  return type === "update" || type === "snapshot";
}

/** An entry whose lines are not made yet. */
interface Queued {
  readonly seq: number;
  readonly at: number;
  readonly type: JournalEntry["type"];
  encode: Steps<readonly Buffer[]>;
}

/** The same work, done before this returns. */
function doneNow<T>(steps: Steps<T>): Steps<T> {
  let outcome: { readonly value: T } | { readonly error: unknown };
  try {
    outcome = { value: atOnce(steps) };
  } catch (error) {
    outcome = { error };
  }
  // eslint-disable-next-line require-yield -- nothing is left to do
  return (function* (): Steps<T> {
    if ("error" in outcome) throw outcome.error;
    return outcome.value;
  })();
}

interface Loss {
  readonly from: number;
  readonly fromAt: number;
  readonly reason: LossReason;
  seq: number;
  at: number;
}

class OpenJournal implements Journal {
  readonly #limits: JournalLimits;
  readonly #syncEveryMs: number;
  readonly #retryEveryMs: number;
  readonly #after: (ms: number, run: () => void) => () => void;
  readonly #encode: (members: Readonly<Record<string, unknown>>) => Steps<readonly Buffer[]>;
  readonly #slices: Slices;
  /** What is not encoded yet, in its order: the first is being encoded. */
  readonly #queue: Queued[] = [];
  #isEncoding = false;
  /** Resolves when the queue is empty; absent where it is. */
  #encoded: Promise<unknown> | undefined;
  readonly #report: ReportProblem;
  readonly #chain: ChainWriter;
  readonly #store: SegmentStore;
  readonly #lock: Lock;

  readonly #pending: Piece[] = [];
  #pendingBytes = 0;
  /** An entry found no room. None is taken until all that waits is written: one long gap is easier to reason about than many short. */
  #isFull = false;
  #next: number;
  #at: number;
  #timeIsBack = false;
  #loss: Loss | undefined;
  #lost = 0;
  #segment: OpenSegment | undefined;
  #hasSnapshot = false;

  /** The disk has one user at a time: each step begins when the one before it ended. */
  #last: Promise<unknown> = Promise.resolve();
  #isAwake = false;
  #degraded: { readonly message: string } | undefined;
  #cancelRetry: (() => void) | undefined;
  #cancelSync: (() => void) | undefined;
  #closing: Promise<void> | undefined;

  constructor(
    options: JournalOptions,
    limits: JournalLimits,
    resumed: Resumed,
    store: SegmentStore,
    lock: Lock,
    report: ReportProblem,
  ) {
    this.#limits = limits;
    this.#syncEveryMs = options.syncEveryMs ?? 1000;
    this.#retryEveryMs = options.retryEveryMs ?? 1000;
    this.#after = options.after ?? afterTimeout;
    this.#encode = memberEncoder(keptKeys(options.redact));
    this.#slices = new Slices({ now: options.now ?? (() => performance.now()) });
    this.#report = report;
    this.#chain = new ChainWriter(limits, resumed.end, resumed.segment);
    this.#store = store;
    this.#lock = lock;
    this.#next = resumed.end.next;
    this.#at = resumed.end.at;
    this.#segment = resumed.segment;
  }

  append(entry: JournalEntry): number {
    if (this.#closing) throw new JournalClosedError();
    const seq = this.#next++;
    const at = this.#timeOf(entry.at);
    const queued = { seq, at, type: entry.type, encode: this.#encoding(entry) };
    if (!isLarge(entry)) queued.encode = doneNow(queued.encode);
    this.#queue.push(queued);
    this.#takeQueued();
    return seq;
  }

  async flush(): Promise<void> {
    if (this.#closing) throw new JournalClosedError();
    await this.#encoded;
    await this.#alone(() => this.#writeAndSync());
  }

  close(): Promise<void> {
    this.#closing ??= this.#alone(async () => {
      try {
        await this.#encoded;
        await this.#writeAndSync();
      } catch (cause) {
        const lost = this.#pending.length + (this.#loss ? this.#loss.seq - this.#loss.from + 1 : 0);
        this.#report({ code: "RECORDS_LOST", message: `closed with ${lost} records that are not written`, cause });
      }
      this.#cancelRetry?.();
      this.#cancelSync?.();
      try {
        await this.#store.close();
        await this.#lock.release();
      } catch (cause) {
        this.#report({ code: "WRITE_FAILED", message: "the folder of the journal cannot be given free", cause });
      }
    });
    return this.#closing;
  }

  status(): JournalStatus {
    return {
      seq: this.#next - 1,
      at: this.#at,
      pending: { records: this.#pending.length + this.#queue.length, bytes: this.#pendingBytes },
      unsynced: this.#store.isDirty,
      lost: this.#lost,
      ...(this.#degraded && { degraded: this.#degraded }),
      snapshotWanted:
        !this.#hasSnapshot && this.#loss === undefined && !this.#queue.some(({ type }) => type === "snapshot"),
      segments: this.#store.segments,
      bytes: this.#store.bytes,
    };
  }

  *#encoding({ type, at, ...members }: JournalEntry): Steps<readonly Buffer[]> {
    if (!entryTypes.has(type)) throw new TypeError(`there are no entries of type "${type}"`);
    if (!Number.isFinite(at)) throw new TypeError("the time of an entry is a number");
    return yield* this.#encode(members);
  }

  /** Encodes what is queued, now as far as it does not take long. */
  #takeQueued(): void {
    if (this.#isEncoding) return;
    this.#isEncoding = true;
    const taken = this.#slices.run(this.#takeAll());
    if (taken instanceof Promise) this.#encoded = taken.finally(() => (this.#encoded = undefined));
  }

  *#takeAll(): Steps<undefined> {
    for (let queued = this.#queue[0]; queued !== undefined; queued = this.#queue[0]) {
      yield* this.#take(queued);
      this.#queue.shift();
      if (this.#queue.length > 0) yield;
    }
    this.#isEncoding = false;
    return undefined;
  }

  *#take({ at, encode, seq, type }: Queued): Steps<undefined> {
    let pieces: readonly Buffer[];
    try {
      pieces = yield* encode;
    } catch (cause) {
      this.#lose(seq, at, "INVALID", cause);
      return undefined;
    }
    const bytes = pieces.reduce((sum, piece) => sum + piece.length, frameBytes);
    if (!this.#hasRoomFor(this.#loss ? bytes + frameBytes : bytes)) this.#lose(seq, at, "FULL");
    else {
      yield* this.#settleLoss();
      if (!(yield* this.#add(seq, at, type, pieces))) this.#lose(seq, at, "TOO_LARGE");
    }
    this.#wake();
    return undefined;
  }

  /** The journal's time never goes back, so that a time names a place in it. */
  #timeOf(at: number): number {
    if (at < this.#at) {
      if (!this.#timeIsBack) {
        const message = `an entry has the time ${at}, the one before it ${this.#at}`;
        this.#report({ code: "TIME_WENT_BACK", message });
      }
      this.#timeIsBack = true;
    } else if (Number.isFinite(at)) {
      this.#timeIsBack = false;
      this.#at = at;
    }
    return this.#at;
  }

  #hasRoomFor(bytes: number): boolean {
    if (this.#pending.length === 0) return true;
    return !this.#isFull && this.#pendingBytes + bytes <= this.#limits.maxPendingBytes;
  }

  #lose(seq: number, at: number, reason: LossReason, cause?: unknown): void {
    this.#lost++;
    if (reason === "FULL") this.#isFull = true;
    if (this.#loss) {
      this.#loss.seq = seq;
      this.#loss.at = at;
    } else {
      this.#loss = { from: seq, fromAt: at, reason, seq, at };
      const message = `entries are lost from ${seq} on: ${whyLost[reason]}`;
      this.#report({ code: "RECORDS_LOST", message, ...(cause !== undefined && { cause }) });
    }
    this.#wake();
  }

  /** Writes the gap record of what was lost. Only where there is room. */
  *#settleLoss(): Steps<undefined> {
    const loss = this.#loss;
    if (!loss) return undefined;
    this.#loss = undefined;
    const { from, fromAt, reason, seq, at } = loss;
    yield* this.#add(seq, at, "gap", yield* this.#encode({ from, fromAt, reason }));
    return undefined;
  }

  *#add(seq: number, at: number, type: string, members: readonly Buffer[]): Steps<boolean> {
    // A gap record is always short enough: nothing could stand for it.
    const most = type === "gap" ? Infinity : this.#limits.maxRecordBytes;
    const piece = yield* this.#chain.add(seq, at, type, members, most);
    if (!piece) return false;
    if (piece.segment !== this.#segment) this.#hasSnapshot = false;
    this.#segment = piece.segment;
    if (type === "snapshot") this.#hasSnapshot = true;
    else if (type === "gap") this.#hasSnapshot = false;
    this.#pending.push(piece);
    this.#pendingBytes += piece.length;
    return true;
  }

  /** Has what waits written soon. Not while a retry is due: the disk is left in peace until then. */
  #wake(): void {
    if (this.#isAwake || this.#cancelRetry || this.#closing) return;
    this.#isAwake = true;
    this.#alone(async () => {
      this.#isAwake = false;
      await this.#write();
    }).catch(() => {
      // Reported, and tried again.
    });
  }

  #alone(step: () => Promise<void>): Promise<void> {
    const done = this.#last.then(step);
    this.#last = done.catch(() => {});
    return done;
  }

  async #writeAndSync(): Promise<void> {
    await this.#write();
    try {
      await this.#store.sync();
    } catch (error) {
      throw this.#failed(error);
    }
    this.#cancelRetry?.();
    this.#cancelRetry = undefined;
    if (this.#degraded) {
      this.#degraded = undefined;
      this.#report({ code: "RECOVERED", message: "the journal is written again" });
    }
  }

  async #write(): Promise<void> {
    try {
      for (;;) {
        if (this.#pending.length === 0) {
          this.#isFull = false;
          // Where something is being encoded, that comes with the gap before it.
          if (!this.#isEncoding) atOnce(this.#settleLoss());
        }
        const [first] = this.#pending;
        if (!first) break;
        const batch = this.#batch(first.segment);
        const pieces = batch.flatMap((piece) => piece.pieces);
        const length = batch.reduce((sum, piece) => sum + piece.length, 0);
        // One write for many small records; what is larger is not copied once more.
        await this.#store.write(first.segment, length > batchBytes ? pieces : [Buffer.concat(pieces)]);
        this.#pending.splice(0, batch.length);
        this.#pendingBytes -= length;
        await this.#store.prune(this.#chain.at);
      }
    } catch (error) {
      throw this.#failed(error);
    }
    if (this.#store.isDirty && !this.#cancelSync && !this.#closing) {
      this.#cancelSync = this.#after(this.#syncEveryMs, () => {
        this.#cancelSync = undefined;
        this.#tryAgain();
      });
    }
  }

  /** The oldest of what waits, as far as it belongs to one segment and is not too much. */
  #batch(segment: OpenSegment): readonly Piece[] {
    let bytes = 0;
    let count = 0;
    for (const piece of this.#pending) {
      if (piece.segment !== segment || (count > 0 && bytes + piece.length > batchBytes)) break;
      bytes += piece.length;
      count++;
    }
    return this.#pending.slice(0, count);
  }

  #tryAgain(): void {
    if (this.#closing) return;
    this.#alone(() => this.#writeAndSync()).catch(() => {
      // Reported, and tried again.
    });
  }

  #failed(cause: unknown): JournalWriteError {
    const error = new JournalWriteError(cause);
    if (!this.#degraded) this.#report({ code: "WRITE_FAILED", message: error.message, cause });
    this.#degraded = { message: error.message };
    if (!this.#closing) {
      this.#cancelRetry ??= this.#after(this.#retryEveryMs, () => {
        this.#cancelRetry = undefined;
        this.#tryAgain();
      });
    }
    return error;
  }
}

const whyLost: Readonly<Record<LossReason, string>> = {
  FULL: "too much waits for the disk",
  TOO_LARGE: "the entry is over the limit for one record",
  INVALID: "the entry is no plain JSON data",
};

function afterTimeout(ms: number, run: () => void): () => void {
  // It keeps no process alive: whoever ends the process closes the journal.
  const timer = setTimeout(run, ms).unref();
  return () => {
    clearTimeout(timer);
  };
}
