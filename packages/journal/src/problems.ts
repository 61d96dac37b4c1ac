/** Something that went wrong with the journal and stopped nothing else. */
export interface JournalProblem {
  readonly code:
    /** On opening: what a crash left behind the last whole record was cut off. */
    | "TORN_TAIL"
    /** On opening: a line is not what was written, and there are whole records behind it. It is left as it is. */
    | "BROKEN"
    /** On opening: a writer that is gone had not released its lock. */
    | "LOCK_TAKEN_OVER"
    /** The disk does not take what waits; the journal tries again. Said once, until `RECOVERED`. */
    | "WRITE_FAILED"
    | "RECOVERED"
    /** Entries are being lost. Said once for each gap. */
    | "RECORDS_LOST"
    /** Time went back; the journal's own stands still until it is passed again. Said once, until then. */
    | "TIME_WENT_BACK"
    /** An old segment cannot be removed. */
    | "RETENTION_FAILED";
  readonly message: string;
  readonly file?: string;
  /** Counts from 1. */
  readonly line?: number;
  readonly cause?: unknown;
}

/** Where problems go. */
export type ReportProblem = (problem: JournalProblem) => void;

/** Passes problems on to a hook; one that throws stops nothing. */
export function reporter(hook: ReportProblem | undefined): ReportProblem {
  return (problem) => {
    try {
      hook?.(problem);
    } catch {
      // The hook is where this would be said.
    }
  };
}
