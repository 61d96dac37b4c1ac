export { exclude, withFinding } from "./candidate.ts";
export type { Candidate, CandidateRecord, Exclusion, StageName } from "./candidate.ts";
export { InvalidCidrError } from "./drift/address-ranges.ts";
export type { DriftService } from "./drift/belonging.ts";
export { MemberIndex } from "./drift/members.ts";
export type { DriftListing, DriftMember, DriftMembers } from "./drift/members.ts";
export { driftDefaults } from "./drift/options.ts";
export type { DriftCluster, DriftOptions } from "./drift/options.ts";
export { driftReport } from "./drift/report.ts";
export type { DriftCount, DriftObservation, DriftReport, DriftRow, ReportedVerdict } from "./drift/report.ts";
export { driftStage, reconcile } from "./drift/stage.ts";
export type { DriftContext, DriftDecision, Reconciliation } from "./drift/stage.ts";
export { DriftTruth } from "./drift/truth.ts";
export { unregistered } from "./drift/unregistered.ts";
export type { Unregistered } from "./drift/unregistered.ts";
export { nextDue } from "./drift/verdict.ts";
export type { DriftVerdict, Unverified, Verified } from "./drift/verdict.ts";
export type { Conflict, Departure, ExplainedCandidate, Outcome, ServiceExplanation } from "./explanation.ts";
export type { Override } from "./override.ts";
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
