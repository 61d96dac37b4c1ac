export { diffContent } from "./diff-content.ts";
export {
  JournalBrokenError,
  JournalClosedError,
  JournalLockedError,
  JournalVersionError,
  JournalWriteError,
} from "./errors.ts";
export { nodeFiles } from "./files.ts";
export { JournalFold } from "./fold.ts";
export { formatDiff } from "./format-diff.ts";
export { JOURNAL_VERSION } from "./format.ts";
export { createJournal, defaultLimits } from "./journal.ts";
export { readJournal } from "./read.ts";
export { redacted, redactor } from "./redact.ts";
export { describeJournal, verifyJournal } from "./verify.ts";
export type { ContentDiff, EndpointDiff, FieldChange, ServiceDiff } from "./diff-content.ts";
export type { JournalFile, JournalFiles } from "./files.ts";
export type { JournalState } from "./fold.ts";
export type { Journal, JournalLimits, JournalOptions, JournalStatus } from "./journal.ts";
export type { JournalProblem, ReportProblem } from "./problems.ts";
export type { JournalPosition, ReadOptions } from "./read.ts";
export type {
  GapEntry,
  JournalEntry,
  JournalRecord,
  JournalUpdate,
  Link,
  LossReason,
  RegistryContent,
} from "./records.ts";
export type { RedactionRules } from "./redact.ts";
export type { SegmentDescription, Verification } from "./verify.ts";
