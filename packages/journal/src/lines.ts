import type { JournalFile } from "./files.ts";
import { maxLineBytes } from "./format.ts";

/** One line of a file. */
export interface Line {
  /** Without the line end. */
  readonly bytes: Buffer;
  /** Counts from 1. */
  readonly number: number;
  /** Where the next line begins, in bytes. */
  readonly end: number;
  /** Only the last piece of a file may lack its line end: it was cut off, or is still being written. */
  readonly whole: boolean;
}

/** How much is read at once. With the line at hand, all that a reader ever holds. */
export const readBytes = 64 * 1024;

const lineEnd = 0x0a;

/**
 * The lines of a file, one at a time. What is longer than any line of a journal comes in pieces of that length, so that the memory
 * has a bound whatever the file holds.
 */
export async function* linesOf(file: JournalFile): AsyncGenerator<Line, void, undefined> {
  let number = 1;
  let position = 0;
  let begun: Buffer[] = [];
  let begunBytes = 0;
  for (;;) {
    // A new buffer each time: pieces of the last one may be part of a line that is not at its end.
    const chunk = Buffer.allocUnsafe(readBytes);
    const length = await file.read(chunk, position);
    if (length === 0) break;
    let start = 0;
    while (start < length) {
      const at = chunk.subarray(0, length).indexOf(lineEnd, start);
      const stop = at < 0 ? length : at;
      begun.push(chunk.subarray(start, stop));
      begunBytes += stop - start;
      start = at < 0 ? length : at + 1;
      if (at < 0 && begunBytes < maxLineBytes) continue;
      yield { bytes: joined(begun), number, end: position + start, whole: true };
      number++;
      begun = [];
      begunBytes = 0;
    }
    position += length;
  }
  if (begunBytes > 0) yield { bytes: joined(begun), number, end: position, whole: false };
}

function joined(parts: readonly Buffer[]): Buffer {
  const [first] = parts;
  return parts.length === 1 && first !== undefined ? first : Buffer.concat(parts);
}
