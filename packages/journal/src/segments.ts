import { join } from "node:path";
import { byCodeUnit } from "@signalbox/model";
import type { JournalFiles } from "./files.ts";
import { headerOf, sealOf } from "./format.ts";
import type { SegmentHeader } from "./format.ts";
import { linesOf } from "./lines.ts";

/** A segment of a folder, by its name. */
export interface Segment {
  readonly path: string;
  /** The sequence number of its first record. */
  readonly first: number;
}

const ending = ".journal";
const digits = 16;

/** The name of the segment that begins with a record. Names sort as the records do. */
export function segmentName(first: number): string {
  return String(first).padStart(digits, "0") + ending;
}

/** The segments of a folder, oldest first. Other files are none of the journal's business. */
export async function segmentsOf(files: JournalFiles, dir: string): Promise<Segment[]> {
  const names = (await files.list(dir)).filter((name) => /^[0-9]{16}\.journal$/.test(name));
  return names.sort(byCodeUnit).map((name) => ({ path: join(dir, name), first: Number(name.slice(0, digits)) }));
}

/** The header of a segment; nothing where it is damaged or not yet written. */
export async function readHeader(files: JournalFiles, segment: Segment): Promise<SegmentHeader | undefined> {
  const file = await files.open(segment.path, "read");
  try {
    for await (const line of linesOf(file)) {
      return line.whole && sealOf(line.bytes) !== undefined ? headerOf(line.bytes) : undefined;
    }
    return undefined;
  } finally {
    await file.close();
  }
}
