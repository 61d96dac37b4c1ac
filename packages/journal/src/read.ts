import { ChainCheck } from "./chain-check.ts";
import { JournalBrokenError } from "./errors.ts";
import { nodeFiles } from "./files.ts";
import type { JournalFiles } from "./files.ts";
import { frontOf } from "./format.ts";
import type { RecordFront } from "./format.ts";
import { linesOf } from "./lines.ts";
import type { JournalRecord } from "./records.ts";
import { readHeader, segmentsOf } from "./segments.ts";
import type { Segment } from "./segments.ts";

/** A place in a journal: a record's number, or a time in epoch milliseconds, which names the newest record that is not later. */
export type JournalPosition = { readonly seq: number } | { readonly at: number };

/** Which part of a journal is read. */
export interface ReadOptions {
  /** Default: the oldest record that is kept. */
  readonly from?: JournalPosition;
  /** The last place that is read. Default: the newest record. */
  readonly to?: JournalPosition;
  /**
   * `snapshot`: reading begins at the newest snapshot that is not after `from`, so that the state at `from` can be made of what is
   * read; where there is none, at the oldest record that is kept. `exact`: at the first record that is not before `from`.
   * Default `snapshot`.
   */
  readonly begin?: "snapshot" | "exact";
  /** Default: the machine's own. */
  readonly files?: JournalFiles;
}

/**
 * The records of a journal in their order, checked against the hash chain as they are read, also while it is written. Holds one record
 * and one block of the file at a time, and reads no further than it is asked. Records written after the call may be missing.
 * A last line that is cut off is not there yet. Throws a JournalBrokenError at the first line that is not in order, a
 * JournalVersionError for a newer format, and what the file system throws, for example when retention removes what is being read.
 */
export async function* readJournal(
  dir: string,
  options: ReadOptions = {},
): AsyncGenerator<JournalRecord, void, undefined> {
  const { from, to, begin = "snapshot", files = nodeFiles } = options;
  const segments = await segmentsOf(files, dir);
  const start = from ? await startOf(files, segments, from, begin) : { index: 0, from: { seq: 0 } };
  const check = new ChainCheck();
  for (const [index, segment] of segments.entries()) {
    if (index < start.index) continue;
    for await (const { front, bytes } of recordsOf(files, segment, check, index === segments.length - 1)) {
      if (to && isAfter(front, to)) return;
      if (!isBefore(front, start.from)) yield JSON.parse(bytes.toString("utf8")) as JournalRecord;
    }
  }
}

/** A record that is in order, not yet parsed. */
export interface CheckedRecord {
  readonly front: RecordFront;
  readonly bytes: Buffer;
}

/** The records of one segment. `isLast`: a line at its end that is cut off is no fault. Throws as `readJournal` does. */
export async function* recordsOf(
  files: JournalFiles,
  segment: Segment,
  check: ChainCheck,
  isLast: boolean,
): AsyncGenerator<CheckedRecord, void, undefined> {
  const file = await files.open(segment.path, "read");
  let lines = 0;
  try {
    for await (const { bytes, number, whole } of linesOf(file)) {
      lines = number;
      if (!whole) {
        if (isLast) return;
        throw new JournalBrokenError(segment.path, number, "the line is cut off");
      }
      const checked = number === 1 ? check.header(bytes, segment.path, segment.first) : check.record(bytes);
      if (checked.type === "fault") throw new JournalBrokenError(segment.path, number, checked.reason);
      if (checked.type === "record") yield { front: checked.front, bytes };
    }
    if (lines === 0 && !isLast) throw new JournalBrokenError(segment.path, 1, "the segment is empty");
  } finally {
    await file.close();
  }
}

/** Whether a record is behind a place. A gap stands at the place of the first entry that it lost. */
function isAfter(front: RecordFront, position: JournalPosition): boolean {
  return "seq" in position ? front.from > position.seq : front.fromAt > position.at;
}

/** Whether a record is ahead of a place. A gap is there until its last entry. */
function isBefore(front: RecordFront, position: JournalPosition): boolean {
  return "seq" in position ? front.seq < position.seq : front.at < position.at;
}

interface Start {
  /** The segment to begin with. */
  readonly index: number;
  readonly from: JournalPosition;
}

/** Looks at headers and fronts only: what it finds is checked when it is read. */
async function startOf(
  files: JournalFiles,
  segments: readonly Segment[],
  from: JournalPosition,
  begin: "snapshot" | "exact",
): Promise<Start> {
  for (let index = segments.length - 1; index >= 0; index--) {
    const segment = segments[index];
    if (!segment || !(await mayHold(files, segment, from, begin))) continue;
    if (begin === "exact") return { index, from };
    const seq = await snapshotIn(files, segment, from);
    if (seq !== undefined) return { index, from: { seq } };
  }
  return { index: 0, from: begin === "exact" ? from : { seq: 0 } };
}

/** Whether a segment begins early enough. Records of one time may stand on both sides of a header, so an exact time needs the earlier. */
async function mayHold(
  files: JournalFiles,
  segment: Segment,
  from: JournalPosition,
  begin: "snapshot" | "exact",
): Promise<boolean> {
  if ("seq" in from) return segment.first <= from.seq;
  const at = (await readHeader(files, segment))?.at;
  return at !== undefined && (begin === "exact" ? at < from.at : at <= from.at);
}

async function snapshotIn(files: JournalFiles, segment: Segment, from: JournalPosition): Promise<number | undefined> {
  const file = await files.open(segment.path, "read");
  try {
    let seq: number | undefined;
    for await (const { bytes, whole } of linesOf(file)) {
      const front = whole ? frontOf(bytes) : undefined;
      if (!front) continue;
      if (isAfter(front, from)) break;
      if (front.type === "snapshot") seq = front.seq;
    }
    return seq;
  } finally {
    await file.close();
  }
}
