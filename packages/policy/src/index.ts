export { exclude, withFinding } from "./candidate.ts";
export type { Candidate, CandidateRecord, Exclusion, StageName } from "./candidate.ts";
export type { Conflict, Departure, ExplainedCandidate, Outcome, ServiceExplanation } from "./explanation.ts";
export type {
  Blocker,
  BlockerCode,
  LabelDelta,
  MigrationCandidate,
  MigrationInput,
  MigrationReport,
  MigrationRow,
  MigrationRules,
  MigrationSide,
  PortDelta,
  ProtocolDelta,
  SpreadRow,
} from "./migration/report.ts";
export type { Override } from "./override.ts";
export { migrationReport } from "./migration/migration-report.ts";
export { firstFit, fits } from "./patterns.ts";
export type { Pattern } from "./patterns.ts";
export { defaultRules } from "./rules.ts";
export type {
  DriftAction,
  DriftActions,
  GuardRule,
  HealthRule,
  MergeRule,
  ServiceRules,
  Share,
  Verdict,
} from "./rules.ts";
