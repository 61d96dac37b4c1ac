import { ChainCheck } from "./chain-check.ts";
import type { ChainEnd } from "./chain-check.ts";
import type { OpenSegment } from "./chain-writer.ts";
import type { JournalFiles } from "./files.ts";
import { frontOf, noHash, sealOf } from "./format.ts";
import { linesOf } from "./lines.ts";
import type { ReportProblem } from "./problems.ts";
import { segmentsOf } from "./segments.ts";
import type { Segment } from "./segments.ts";

/** Where a journal goes on. */
export interface Resumed {
  readonly end: ChainEnd;
  /** The segment that is continued; without it the next entry begins one. */
  readonly segment?: OpenSegment;
}

/**
 * Brings the end of a journal into order: what a crash left behind the last whole record is cut off, and reported. Damage with whole records
 * behind it is reported and left as it is; the journal goes on in a new segment. Throws a JournalVersionError for a newer format,
 * before it changes anything.
 */
export async function resume(files: JournalFiles, dir: string, report: ReportProblem): Promise<Resumed> {
  let next = 1;
  for (const segment of (await segmentsOf(files, dir)).reverse()) {
    const found = await examine(files, segment);
    const { fault, end, goodBytes, bytes } = found;
    if (fault && found.isDamaged && end) {
      report({ code: "BROKEN", message: fault.reason, file: segment.path, line: fault.line });
      return { end: { ...end, next: Math.max(end.next, segment.first + 1) } };
    }
    if (fault) {
      const message = `${bytes - goodBytes} bytes behind the last whole record are cut off: ${fault.reason}`;
      report({ code: "TORN_TAIL", message, file: segment.path, line: fault.line });
    }
    if (end === undefined || goodBytes === 0) {
      await files.remove(segment.path);
      next = segment.first;
      continue;
    }
    if (fault) await cut(files, segment, goodBytes);
    const { at, records } = found;
    return { end, segment: { first: segment.first, at, bytes: goodBytes, records } };
  }
  return { end: { hash: noHash, next, at: 0 } };
}

async function cut(files: JournalFiles, segment: Segment, length: number): Promise<void> {
  const file = await files.open(segment.path, "write");
  try {
    await file.truncate(length);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** What a segment holds, and whether it can be continued. */
interface Examined {
  /** Bytes up to the end of the last line that is in order; 0 where not even the header is. */
  readonly goodBytes: number;
  readonly bytes: number;
  /** Where the chain stands after the last line whose bytes are in order; nothing where there is none. */
  readonly end: ChainEnd | undefined;
  /** The segment's own time, that of its header. */
  readonly at: number;
  readonly records: number;
  /** The first line that is not in order. */
  readonly fault?: { readonly line: number; readonly reason: string };
  /** Behind the fault there are lines whose bytes are in order: it is damage, not a write that was cut off. */
  readonly isDamaged: boolean;
}

async function examine(files: JournalFiles, segment: Segment): Promise<Examined> {
  const file = await files.open(segment.path, "read");
  try {
    const check = new ChainCheck();
    let goodBytes = 0;
    let at = 0;
    let records = 0;
    let fault: Examined["fault"];
    let later: ChainEnd | undefined;
    for await (const line of linesOf(file)) {
      if (fault === undefined) {
        const found = !line.whole
          ? ({ type: "fault", reason: "the line is cut off" } as const)
          : line.number === 1
            ? check.header(line.bytes, segment.path, segment.first)
            : check.record(line.bytes);
        if (found.type !== "fault") {
          goodBytes = line.end;
          if (found.type === "header") at = found.header.at;
          else records++;
          continue;
        }
        fault = { line: line.number, reason: found.reason };
      }
      if (line.whole) later = sealedEnd(line.bytes) ?? later;
    }
    return {
      goodBytes,
      bytes: await file.size(),
      end: later ?? check.end,
      at,
      records,
      ...(fault && { fault }),
      isDamaged: later !== undefined,
    };
  } finally {
    await file.close();
  }
}

/** Where the chain stands after a record whose bytes are in order, whatever stands before it. */
function sealedEnd(line: Buffer): ChainEnd | undefined {
  const hash = sealOf(line);
  const front = frontOf(line);
  return hash !== undefined && front ? { hash, next: front.seq + 1, at: front.at } : undefined;
}
