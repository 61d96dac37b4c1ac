import type { ChainEnd } from "./chain-check.ts";
import type { Steps } from "@signalbox/slices";
import { headerLine, JOURNAL_VERSION, noHash, recordLine } from "./format.ts";
import type { SealedLine } from "./format.ts";

/** The segment that is being written, as far as its content is decided; the disk may be behind. */
export interface OpenSegment {
  readonly first: number;
  /** Time of its header, in epoch milliseconds. */
  readonly at: number;
  /** Bytes with all that was added. */
  bytes: number;
  records: number;
}

/** Bytes for one segment. */
export interface Piece {
  readonly segment: OpenSegment;
  /** In their order. */
  readonly pieces: readonly Buffer[];
  /** Of all of them, in bytes. */
  readonly length: number;
}

/** When a segment is full. */
export interface SegmentLimits {
  readonly maxSegmentBytes: number;
  readonly maxSegmentAgeMs: number;
}

/**
 * Makes lines of entries and decides which segment they go to. Only the entries and their times decide, never when they reach
 * the disk: the same entries give the same bytes.
 */
export class ChainWriter {
  readonly #limits: SegmentLimits;
  #end: ChainEnd;
  #segment: OpenSegment | undefined;

  /** Continues a chain: after `end`, in `segment`; without a segment the next entry begins one. */
  constructor(limits: SegmentLimits, end?: ChainEnd, segment?: OpenSegment) {
    this.#limits = limits;
    this.#end = end ?? { hash: noHash, next: 1, at: 0 };
    this.#segment = segment;
  }

  /** Time of the last entry added, in epoch milliseconds; 0 before the first. */
  get at(): number {
    return this.#end.at;
  }

  /**
   * Makes the lines of one entry in steps: its own, after a header where it begins a segment. Nothing where it is longer than `maxBytes`. One entry after
   * the other.
   */
  *add(seq: number, at: number, type: string, members: readonly Buffer[], maxBytes: number): Steps<Piece | undefined> {
    const lineAfter = (prev: string): Steps<SealedLine> => recordLine({ seq, at, type, prev }, members);
    let segment = this.#segment;
    const line = yield* lineAfter(this.#end.hash);
    if (line.length > maxBytes) return undefined;
    if (segment && !this.#isFull(segment, at, line.length)) {
      segment.bytes += line.length;
      segment.records++;
      this.#end = { hash: line.hash, next: seq + 1, at };
      return { segment, pieces: line.pieces, length: line.length };
    }
    const first = this.#end.next;
    const header = headerLine({ format: JOURNAL_VERSION, first, at, prev: this.#end.hash });
    const following = yield* lineAfter(header.hash);
    const pieces = [...header.pieces, ...following.pieces];
    const length = header.length + following.length;
    segment = { first, at, bytes: length, records: 1 };
    this.#segment = segment;
    this.#end = { hash: following.hash, next: seq + 1, at };
    return { segment, pieces, length };
  }

  #isFull(segment: OpenSegment, at: number, more: number): boolean {
    if (segment.records === 0) return false;
    return segment.bytes + more > this.#limits.maxSegmentBytes || at - segment.at >= this.#limits.maxSegmentAgeMs;
  }
}
