import { join } from "node:path";
import type { OpenSegment } from "./chain-writer.ts";
import type { JournalFile, JournalFiles } from "./files.ts";
import type { ReportProblem } from "./problems.ts";
import { readHeader, segmentName, segmentsOf } from "./segments.ts";

/** How much is kept. */
export interface RetentionLimits {
  readonly maxTotalBytes: number;
  readonly maxAgeMs: number;
}

/** A segment on the disk. */
export interface KeptSegment {
  readonly path: string;
  /** Time of its header, in epoch milliseconds: no record of the segment before is later. */
  readonly at: number;
  bytes: number;
}

/**
 * How many of the oldest segments must go, at the time of the newest record. Never the newest one. A segment is too old
 * when all of its records are.
 */
export function expired(kept: readonly KeptSegment[], limits: RetentionLimits, now: number): number {
  let bytes = kept.reduce((sum, segment) => sum + segment.bytes, 0);
  let count = 0;
  for (let index = 0; index < kept.length - 1; index++) {
    const end = kept[index + 1]?.at ?? now;
    if (bytes <= limits.maxTotalBytes && now - end <= limits.maxAgeMs) break;
    bytes -= kept[index]?.bytes ?? 0;
    count++;
  }
  return count;
}

/** The segments of a folder, oldest first, for retention. A damaged header is reported; such a segment goes by size alone. */
export async function keptSegments(files: JournalFiles, dir: string, report: ReportProblem): Promise<KeptSegment[]> {
  const kept: KeptSegment[] = [];
  for (const segment of await segmentsOf(files, dir)) {
    const header = await readHeader(files, segment);
    if (!header) {
      report({ code: "BROKEN", message: "the header is not what was written", file: segment.path, line: 1 });
    }
    const file = await files.open(segment.path, "read");
    try {
      kept.push({ path: segment.path, at: header?.at ?? Infinity, bytes: await file.size() });
    } finally {
      await file.close();
    }
  }
  return kept;
}

/** Brings bytes into segment files, in order, and removes old files. Calls must not overlap. */
export class SegmentStore {
  readonly #files: JournalFiles;
  readonly #dir: string;
  readonly #limits: RetentionLimits;
  readonly #report: ReportProblem;
  readonly #kept: KeptSegment[];
  #open: { readonly segment: OpenSegment; readonly file: JournalFile; readonly kept: KeptSegment } | undefined;
  #isDirty = false;

  constructor(
    files: JournalFiles,
    dir: string,
    limits: RetentionLimits,
    kept: readonly KeptSegment[],
    report: ReportProblem,
  ) {
    this.#files = files;
    this.#dir = dir;
    this.#limits = limits;
    this.#kept = [...kept];
    this.#report = report;
  }

  get segments(): number {
    return this.#kept.length;
  }

  get bytes(): number {
    return this.#kept.reduce((sum, segment) => sum + segment.bytes, 0);
  }

  /** Something was written that a power cut could still take. */
  get isDirty(): boolean {
    return this.#isDirty;
  }

  /** Continues the newest segment. */
  async continue(segment: OpenSegment): Promise<void> {
    const kept = this.#kept.at(-1);
    if (kept === undefined) throw new Error("there is no segment to continue");
    this.#open = { segment, file: await this.#files.open(kept.path, "write"), kept };
  }

  /** Writes all of `pieces` at the end of the segment, or rejects and leaves the segment as long as it was. */
  async write(segment: OpenSegment, pieces: readonly Buffer[]): Promise<void> {
    const { file, kept } = this.#open?.segment === segment ? this.#open : await this.#begin(segment);
    let done = 0;
    try {
      for (const bytes of pieces) {
        for (let ofThis = 0; ofThis < bytes.length;) {
          const written = await file.write(bytes.subarray(ofThis), kept.bytes + done);
          if (written <= 0) throw new Error("the file takes nothing");
          ofThis += written;
          done += written;
        }
      }
    } catch (error) {
      // Also where this fails: the next write begins at the same place, and opening cuts off what is not whole.
      await file.truncate(kept.bytes).catch(() => {});
      throw error;
    }
    kept.bytes += done;
    this.#isDirty = true;
  }

  /** Resolves once everything written survives a power cut. */
  async sync(): Promise<void> {
    if (!this.#isDirty) return;
    await this.#open?.file.sync();
    this.#isDirty = false;
  }

  /** Removes what is over the limits at the time of the newest record. What follows it is on the disk for good before it goes. */
  async prune(now: number): Promise<void> {
    const count = expired(this.#kept, this.#limits, now);
    if (count === 0) return;
    await this.sync();
    try {
      for (let left = count; left > 0; left--) {
        const [oldest] = this.#kept;
        if (oldest) await this.#files.remove(oldest.path);
        this.#kept.shift();
      }
    } catch (cause) {
      const file = this.#kept[0]?.path;
      this.#report({
        code: "RETENTION_FAILED",
        message: "an old segment cannot be removed",
        ...(file && { file }),
        cause,
      });
    }
  }

  async close(): Promise<void> {
    const open = this.#open;
    this.#open = undefined;
    await open?.file.close();
  }

  async #begin(segment: OpenSegment): Promise<{ readonly file: JournalFile; readonly kept: KeptSegment }> {
    await this.sync();
    await this.close();
    const path = join(this.#dir, segmentName(segment.first));
    const file = await this.#files.open(path, "create");
    try {
      await this.#files.syncFolder(this.#dir);
    } catch (error) {
      await file.close();
      throw error;
    }
    const kept = { path, at: segment.at, bytes: 0 };
    this.#kept.push(kept);
    this.#open = { segment, file, kept };
    return this.#open;
  }
}
