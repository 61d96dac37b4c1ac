import { ChainCheck } from "./chain-check.ts";
import { JournalBrokenError } from "./errors.ts";
import { nodeFiles } from "./files.ts";
import type { JournalFiles } from "./files.ts";
import { frontOf } from "./format.ts";
import { linesOf } from "./lines.ts";
import { recordsOf } from "./read.ts";
import { readHeader, segmentsOf } from "./segments.ts";

/** What became of checking a journal. */
export type Verification =
  | {
      readonly ok: true;
      readonly segments: number;
      readonly records: number;
      /** The hash of the last line. Kept elsewhere, it proves later that nothing before it was changed; absent for an empty journal. */
      readonly hash?: string;
    }
  | {
      readonly ok: false;
      readonly file: string;
      /** Counts from 1; the header is line 1. */
      readonly line: number;
      readonly reason: string;
    };

/**
 * Checks every byte of a journal, from the oldest segment that is kept. A last line that is cut off is a fault here; while the journal is
 * written, or after a crash, it may be one that is not there yet. Lines that are missing at the very end leave no trace but in
 * a hash that was kept elsewhere. Throws a JournalVersionError for a newer format, and what the file system throws.
 */
export async function verifyJournal(dir: string, files: JournalFiles = nodeFiles): Promise<Verification> {
  const segments = await segmentsOf(files, dir);
  const check = new ChainCheck();
  let records = 0;
  try {
    for (const segment of segments) {
      for await (const _ of recordsOf(files, segment, check, false)) records++;
    }
  } catch (error) {
    if (!(error instanceof JournalBrokenError)) throw error;
    return { ok: false, file: error.file, line: error.line, reason: error.reason };
  }
  return { ok: true, segments: segments.length, records, ...(check.end && { hash: check.end.hash }) };
}

/** One segment, for people. */
export interface SegmentDescription {
  readonly file: string;
  readonly bytes: number;
  readonly records: number;
  /** The first and last sequence number; absent where no record is readable. */
  readonly seq?: { readonly first: number; readonly last: number };
  /** Times of its first and last record, in epoch milliseconds. */
  readonly at?: { readonly first: number; readonly last: number };
  /** The sequence numbers of its snapshots. */
  readonly snapshots: readonly number[];
  /** The number of records that stand for lost entries. */
  readonly gaps: number;
  /** The hash before its first record; absent where the header is damaged. */
  readonly prev?: string;
}

/** The segments of a journal, oldest first. Reads them all, and checks nothing: see `verifyJournal`. */
export async function describeJournal(dir: string, files: JournalFiles = nodeFiles): Promise<SegmentDescription[]> {
  const descriptions: SegmentDescription[] = [];
  for (const segment of await segmentsOf(files, dir)) {
    const header = await readHeader(files, segment);
    const file = await files.open(segment.path, "read");
    try {
      const snapshots: number[] = [];
      let records = 0;
      let gaps = 0;
      let first: { readonly seq: number; readonly at: number } | undefined;
      let last: { readonly seq: number; readonly at: number } | undefined;
      for await (const { bytes, whole } of linesOf(file)) {
        const front = whole ? frontOf(bytes) : undefined;
        if (!front) continue;
        records++;
        if (front.type === "snapshot") snapshots.push(front.seq);
        if (front.type === "gap") gaps++;
        first ??= { seq: front.from, at: front.at };
        last = { seq: front.seq, at: front.at };
      }
      descriptions.push({
        file: segment.path,
        bytes: await file.size(),
        records,
        ...(first && last && { seq: { first: first.seq, last: last.seq }, at: { first: first.at, last: last.at } }),
        snapshots,
        gaps,
        ...(header && { prev: header.prev }),
      });
    } finally {
      await file.close();
    }
  }
  return descriptions;
}
