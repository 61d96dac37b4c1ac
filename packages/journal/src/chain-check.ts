import { JournalVersionError } from "./errors.ts";
import { frontOf, headerOf, JOURNAL_VERSION, sealOf } from "./format.ts";
import type { RecordFront, SegmentHeader } from "./format.ts";

/** What a line turned out to be. */
export type CheckedLine =
  | { readonly type: "header"; readonly header: SegmentHeader; readonly hash: string }
  | { readonly type: "record"; readonly front: RecordFront; readonly hash: string }
  | { readonly type: "fault"; readonly reason: string };

/** The last line that was in order. */
export interface ChainEnd {
  readonly hash: string;
  /** The sequence number that comes next. */
  readonly next: number;
  /** Epoch milliseconds. */
  readonly at: number;
}

/**
 * Follows the chain line by line, over the segments that it is given. It begins with whatever header comes first: what was before is
 * gone, and the header says its hash.
 */
export class ChainCheck {
  #end: ChainEnd | undefined;

  /** Where the chain stands; nothing before the first header. */
  get end(): ChainEnd | undefined {
    return this.#end;
  }

  /** Checks the first line of a segment, whose name says its first sequence number. Throws a JournalVersionError for a newer format. */
  header(line: Buffer, file: string, first: number): CheckedLine {
    const hash = sealOf(line);
    const header = headerOf(line);
    if (hash === undefined) return fault("the header is not what was written");
    if (header === undefined) return fault("the segment does not begin with a header");
    if (header.format > JOURNAL_VERSION) throw new JournalVersionError(file, header.format, JOURNAL_VERSION);
    if (header.first !== first) return fault(`the header says ${header.first}, the name of the file ${first}`);
    if (this.#end !== undefined) {
      if (header.prev !== this.#end.hash) return fault("the header does not follow from the last record before");
      if (header.first !== this.#end.next) return fault(`record ${this.#end.next} is missing`);
    }
    this.#end = { hash, next: header.first, at: header.at };
    return { type: "header", header, hash };
  }

  /** Checks any other line. Only after a header. */
  record(line: Buffer): CheckedLine {
    const end = this.#end;
    const hash = sealOf(line);
    const front = frontOf(line);
    if (hash === undefined) return fault("the line is not what was written");
    if (front === undefined || end === undefined) return fault("the line is no record");
    if (front.prev !== end.hash) return fault("the record does not follow from the line before");
    if (front.from !== end.next || front.seq < front.from) return fault(`record ${end.next} is missing`);
    this.#end = { hash, next: front.seq + 1, at: front.at };
    return { type: "record", front, hash };
  }
}

function fault(reason: string): CheckedLine {
  return { type: "fault", reason };
}
