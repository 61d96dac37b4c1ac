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
export { reconcile } from "./drift/stage.ts";
export type { DriftContext, DriftDecision, Reconciliation } from "./drift/stage.ts";
export { DriftTruth } from "./drift/truth.ts";
export { unregistered } from "./drift/unregistered.ts";
export type { Unregistered } from "./drift/unregistered.ts";
export { nextDue } from "./drift/verdict.ts";
export type { DriftVerdict, Unverified, Verified } from "./drift/verdict.ts";
export type { Conflict, Departure, ExplainedCandidate, Outcome, ServiceExplanation } from "./explanation.ts";
export { Departures } from "./departures/departures.ts";
export { healthStage } from "./health/health.ts";
export { identify } from "./identity/identity.ts";
export type { Identity, IdentityRule } from "./identity/identity.ts";
export { ServiceNames } from "./identity/service-names.ts";
export type { Collision } from "./identity/service-names.ts";
export { templateFault } from "./identity/template.ts";
export type { MergeRule, Share } from "./merge-rule.ts";
export { explainMerge } from "./merge/explain-merge.ts";
export type { MergeExplanation } from "./merge/explain-merge.ts";
export { eligibility } from "./merge/eligible.ts";
export type { Eligibility } from "./merge/eligible.ts";
export type { MergeInput } from "./merge/gather.ts";
export { mergeService } from "./merge/merge-service.ts";
export type { MergeResult, MergeServiceInput } from "./merge/merge-service.ts";
export { maxSplitWeight } from "./merge/split-weights.ts";
export { lintService } from "./lint/lint.ts";
export type { Lint } from "./lint/lint.ts";
export { manualStage } from "./manual/manual.ts";
export { OverrideBook, UnknownOverrideError } from "./manual/override-book.ts";
export type { Override } from "./override.ts";
export { NoGuardError } from "./guard/decision.ts";
export type {
  GuardDecision,
  GuardScope,
  GuardStatus,
  HeldIds,
  Hold,
  ReleaseReason,
  TripReason,
} from "./guard/decision.ts";
export { RegistryGuard } from "./guard/registry-guard.ts";
export type { RegistryGuardOptions } from "./guard/options.ts";
export type { GuardRuling, SavedGuard } from "./guard/registry-guard.ts";
export type { GuardStep } from "./guard/step.ts";
export type { AcceptedUpdate, GuardedUpdate, GuardEvidence, RemovalEvidence } from "./guard/update.ts";
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
export { migrationReport } from "./migration/migration-report.ts";
export { firstFit, fits } from "./patterns.ts";
export type { Pattern } from "./patterns.ts";
export { observeRamp } from "./ramp/gates.ts";
export type { RampGates, RampObservation } from "./ramp/gates.ts";
export { rampAt, resume, rollback, startRamp } from "./ramp/ramp.ts";
export type { RampReading, RampRule, RampState, RampStep } from "./ramp/ramp.ts";
export { defaultRules } from "./rules.ts";
export { SlowStart } from "./slow-start/slow-start.ts";
export type { SavedSlowStart, SavedStart, SlowStarted, SlowStartRule } from "./slow-start/slow-start.ts";
export type { DriftAction, DriftActions, GuardRule, HealthRule, ServiceRules, Verdict } from "./rules.ts";
