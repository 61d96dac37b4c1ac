import type { MergeRule } from "./merge-rule.ts";
import type { MigrationRules } from "./migration/report.ts";
import type { Pattern } from "./patterns.ts";
import type { RampRule } from "./ramp/ramp.ts";
import type { SlowStartRule } from "./slow-start/slow-start.ts";

/** What Kubernetes' pods say about an endpoint that another registry told of. */
export type Verdict =
  "CONFIRMED" | "NOT_READY" | "TERMINATING" | "GHOST" | "IMPOSTOR" | "PORT_MISMATCH" | "UNVERIFIABLE";

/** What a verdict does to an endpoint. `report` only notes it. */
export type DriftAction = "report" | "deprioritise" | "exclude";

/** What one verdict does, by verdict. `CONFIRMED` and `UNVERIFIABLE` do nothing, ever. */
export type DriftActions = Readonly<Record<Exclude<Verdict, "CONFIRMED" | "UNVERIFIABLE">, DriftAction>>;

/** When many endpoints leave a source at once, whether that is believed. */
export interface GuardRule {
  readonly mode: "hold" | "accept" | "hold-until-operator";
  /** Fewer removals than this never trip. */
  readonly minRemoved: number;
  /** The part of a service's endpoints, 0..1, of which more must leave within the window to trip. 1 is: all of them. */
  readonly maxServiceShrink: number;
  /** The part of a source's endpoints or services, 0..1, of which more must leave within the window to trip. */
  readonly maxSourceShrink: number;
  readonly windowMs: number;
  /** How long removals are held; 0 is until they come back or somebody decides. */
  readonly holdForMs: number;
  /** The part of the baseline that must be back to end a hold. */
  readonly recoveryRatio: number;
  /** How many different versions of the source must show the same smaller set to be believed. */
  readonly confirmations: number;
  /** Removals that one step lets go once a hold ends by time, and the time between two steps. */
  readonly releaseBatch: number;
  readonly releaseEveryMs: number;
}

/** How health is composed and how endpoints come and go. */
export interface HealthRule {
  /** Registries whose word on health does not count. */
  readonly ignore: readonly Pattern[];
  /** How long an endpoint that left its registry is drained, in milliseconds; 0 is not at all. */
  readonly drainForMs: number;
}

/** All rules that hold for one service. */
export interface ServiceRules {
  readonly merge: MergeRule;
  /** A merge rule that changes over time. Where there is one, `merge` does not count. */
  readonly ramp?: RampRule;
  /** When the service may move, for its migration report. */
  readonly migration?: MigrationRules;
  readonly drift: DriftActions;
  readonly guard: GuardRule;
  readonly health: HealthRule;
  /** How endpoints begin to take traffic. Absent: with their full weight. */
  readonly slowStart?: SlowStartRule;
}

/** The rules of a service that the configuration says nothing about. */
export const defaultRules: ServiceRules = {
  merge: { type: "union" },
  drift: {
    NOT_READY: "report",
    TERMINATING: "report",
    GHOST: "report",
    IMPOSTOR: "report",
    PORT_MISMATCH: "report",
  },
  guard: {
    mode: "hold",
    minRemoved: 2,
    maxServiceShrink: 1,
    maxSourceShrink: 0.3,
    windowMs: 60_000,
    holdForMs: 300_000,
    recoveryRatio: 0.9,
    confirmations: 5,
    releaseBatch: 100,
    releaseEveryMs: 1000,
  },
  health: { ignore: [], drainForMs: 0 },
};
