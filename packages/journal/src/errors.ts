/** Thrown when another process, or this one, already writes into the folder. */
export class JournalLockedError extends Error {
  readonly code = "SBX_JOURNAL_LOCKED";
  /** The lock file of the other writer. Delete it only when that writer is certainly gone. */
  readonly file: string;
  /** Host name of the other writer. */
  readonly host: string;
  /** Its process id on that host. */
  readonly pid: number;

  constructor(file: string, host: string, pid: number) {
    super(`process ${pid} on ${host} writes this journal; if it is gone for good, delete ${file}`);
    this.name = "JournalLockedError";
    this.file = file;
    this.host = host;
    this.pid = pid;
  }
}

/** Thrown when a line of the journal is not what was written, or does not follow from the line before. */
export class JournalBrokenError extends Error {
  readonly code = "SBX_JOURNAL_BROKEN";
  readonly file: string;
  /** Counts from 1; the header is line 1. */
  readonly line: number;
  readonly reason: string;

  constructor(file: string, line: number, reason: string) {
    super(`${file}:${line}: ${reason}`);
    this.name = "JournalBrokenError";
    this.file = file;
    this.line = line;
    this.reason = reason;
  }
}

/** Thrown when the journal was written by a release with a newer format: nothing of it may be read or continued. */
export class JournalVersionError extends Error {
  readonly code = "SBX_JOURNAL_VERSION";
  readonly file: string;
  readonly version: number;

  constructor(file: string, version: number, known: number) {
    super(`${file} has format ${version}; this release reads up to ${known}`);
    this.name = "JournalVersionError";
    this.file = file;
    this.version = version;
  }
}

/** Thrown by `append` and `flush` after `close`. */
export class JournalClosedError extends Error {
  readonly code = "SBX_JOURNAL_CLOSED";

  constructor() {
    super("the journal is closed");
    this.name = "JournalClosedError";
  }
}

/** Thrown by `flush` when the disk does not take what waits. It still waits, and is tried again. */
export class JournalWriteError extends Error {
  readonly code = "SBX_JOURNAL_WRITE";

  constructor(cause: unknown) {
    super(`the journal cannot be written: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
    this.name = "JournalWriteError";
  }
}
