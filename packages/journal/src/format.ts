import { createHash } from "node:crypto";
import { canonicalJson } from "@signalbox/model";
import type { Steps } from "@signalbox/slices";

/** The version of the format of segments that this release writes, and the newest that it reads. */
export const JOURNAL_VERSION = 1;

/** Stands for the hash before the very first line. */
export const noHash = "0".repeat(64);

/** No line is longer, so that a reader needs no more memory than this. */
export const maxLineBytes = 256 * 1024 * 1024;

/** One sealed line with its line end. */
export interface SealedLine {
  /** In pieces, in their order: one line may be as long as all that a registry says. */
  readonly pieces: readonly Buffer[];
  /** Of all pieces, in bytes. */
  readonly length: number;
  readonly hash: string;
}

/** The header with which a segment begins. */
export interface SegmentHeader {
  readonly format: number;
  /** The sequence number of its first record. */
  readonly first: number;
  /** Time of its first record, in epoch milliseconds. */
  readonly at: number;
  /** The hash of the last record of the segment before, also when that one is gone. */
  readonly prev: string;
}

/** What stands at the front of every record, and can be read without parsing the rest. */
export interface RecordFront {
  readonly seq: number;
  readonly at: number;
  readonly type: string;
  readonly prev: string;
  /** The first sequence number that the record stands for: its own, but for a gap. */
  readonly from: number;
  /** The time of that, in epoch milliseconds. */
  readonly fromAt: number;
}

/** Writes a header. */
export function headerLine(header: SegmentHeader): SealedLine {
  const { format, first, at, prev } = header;
  const seal = new Seal();
  const text = `{"format":${format},"first":${first},"at":${canonicalJson(at)},"type":"segment","prev":"${prev}"`;
  seal.add(Buffer.from(text));
  return seal.line();
}

/** Writes a record in steps, a piece in each. `members` is what a `memberEncoder` made. */
export function* recordLine(
  front: Omit<RecordFront, "from" | "fromAt">,
  members: readonly Buffer[],
): Steps<SealedLine> {
  const { seq, at, type, prev } = front;
  const start = `{"seq":${seq},"at":${canonicalJson(at)},"type":${canonicalJson(type)},"prev":"${prev}"`;
  const seal = new Seal();
  seal.add(Buffer.from(members.every((piece) => piece.length === 0) ? start : `${start},`));
  for (const [index, piece] of members.entries()) {
    if (index > 0) yield;
    seal.add(piece);
  }
  return seal.line();
}

const sealStart = `,"hash":"`;
const sealLength = sealStart.length + 64 + 2;

/** Seals the pieces of a line. */
class Seal {
  readonly #hash = createHash("sha256");
  readonly #pieces: Buffer[] = [];

  add(piece: Buffer): void {
    this.#hash.update(piece);
    this.#pieces.push(piece);
  }

  line(): SealedLine {
    const hash = this.#hash.digest("hex");
    const pieces = [...this.#pieces, Buffer.from(`${sealStart}${hash}"}\n`)];
    return { pieces, length: pieces.reduce((sum, piece) => sum + piece.length, 0), hash };
  }
}

/** The hash of a line (given without its line end), or nothing where a byte of the line is not what was written. */
export function sealOf(line: Buffer): string | undefined {
  if (line.length < sealLength) return undefined;
  const body = line.subarray(0, line.length - sealLength);
  const hash = createHash("sha256").update(body).digest("hex");
  return line.subarray(body.length).equals(Buffer.from(`${sealStart}${hash}"}`)) ? hash : undefined;
}

const number = "(-?[0-9][-+.0-9e]*)";
const prev = '"prev":"([0-9a-f]{64})"';
const headerStart = new RegExp(`^{"format":([0-9]+),"first":([0-9]+),"at":${number},"type":"segment",${prev}`);
const recordStart = new RegExp(
  `^{"seq":([0-9]+),"at":${number},"type":"([a-z]+)",${prev}(?:,"from":([0-9]+),"fromAt":${number})?`,
);
/** No front is longer. */
const frontBytes = 512;

/** Reads a header; nothing where the line is none. Does not look at the seal. */
export function headerOf(line: Buffer): SegmentHeader | undefined {
  const [, format, first, at, before] = headerStart.exec(startOf(line)) ?? [];
  if (format === undefined || before === undefined) return undefined;
  return { format: Number(format), first: Number(first), at: Number(at), prev: before };
}

/** Reads the front of a record; nothing where the line is none. Does not look at the seal. */
export function frontOf(line: Buffer): RecordFront | undefined {
  const [, seq, at, type, before, from, fromAt] = recordStart.exec(startOf(line)) ?? [];
  if (seq === undefined || type === undefined || before === undefined) return undefined;
  const first = type === "gap" ? { seq: from, at: fromAt } : { seq, at };
  return {
    seq: Number(seq),
    at: Number(at),
    type,
    prev: before,
    from: Number(first.seq),
    fromAt: Number(first.at),
  };
}

function startOf(line: Buffer): string {
  return line.toString("latin1", 0, Math.min(line.length, frontBytes));
}
