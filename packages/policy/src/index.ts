export { exclude, withFinding } from "./candidate.ts";
export type { Candidate, CandidateRecord, Exclusion, StageName } from "./candidate.ts";
export type { Conflict, Departure, ExplainedCandidate, Outcome, ServiceExplanation } from "./explanation.ts";
export { eligibility } from "./merge/eligible.ts";
export type { Eligibility } from "./merge/eligible.ts";
export { explainMerge } from "./merge/explain-merge.ts";
export type { MergeExplanation } from "./merge/explain-merge.ts";
export type { MergeInput } from "./merge/gather.ts";
export { mergeService } from "./merge/merge-service.ts";
export type { MergeResult, MergeServiceInput } from "./merge/merge-service.ts";
export { maxSplitWeight } from "./merge/split-weights.ts";
export type { Override } from "./override.ts";
export { firstFit, fits } from "./patterns.ts";
export type { Pattern } from "./patterns.ts";
export { observeRamp } from "./ramp/gates.ts";
export type { RampGates, RampObservation } from "./ramp/gates.ts";
export { rampAt, resume, rollback, startRamp } from "./ramp/ramp.ts";
export type { RampReading, RampRule, RampState, RampStep } from "./ramp/ramp.ts";
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
