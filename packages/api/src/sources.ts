import type { Catalog, ServiceKey } from "@signalbox/model";
import type { DriftAction, MigrationReport, Override, ServiceExplanation, Verdict } from "@signalbox/policy";

/** One source. `RegistryStatus` of `@signalbox/aggregate` has this shape. */
export interface SourceView {
  /** `<provider>/<name>`. */
  readonly id: string;
  /** `INIT`, `RESTORED`, `SYNCED`, `STALE` or `EXPIRED`. */
  readonly state: string;
  /** `UNREACHABLE`, `AUTH_FAILED` or `PROTOCOL_ERROR`; absent while the source can be read. */
  readonly problem?: string;
  readonly services: number;
  /** Epoch milliseconds. */
  readonly lastCompleteRead?: number;
  readonly ageMs?: number;
  readonly withheld?: true;
  readonly deprioritised?: true;
  /** Its message is shown: it must hold no secret. */
  readonly lastError?: Error;
  readonly restarts?: number;
  readonly rejected?: number;
  readonly unmerged?: number;
}

/** An endpoint whose registry and whose workloads were compared. */
export interface DriftRow {
  readonly service: ServiceKey;
  /** The registry that tells of the endpoint, or for `UNREGISTERED` the one that should. */
  readonly registry: string;
  /** As `instanceKey` writes it. */
  readonly address: string;
  readonly verdict: Verdict | "UNREGISTERED";
  /** What the verdict does to the endpoint. */
  readonly action: DriftAction | "none";
  /** Epoch milliseconds; absent where it is not known. */
  readonly since?: number;
  /** The value that decided, for people. */
  readonly detail: string;
  /** The workload that decided, as `<cluster>/<namespace>/<name>`. */
  readonly workload?: string;
}

/** Two services of one registry that want one name. `Collision` of `@signalbox/policy` has this shape. */
export interface CollisionView {
  readonly registry: string;
  readonly wanted: ServiceKey;
  readonly winner: ServiceKey;
  readonly loser: ServiceKey;
  /** What the loser is called instead; absent where it is left out of the catalog. */
  readonly renamed?: ServiceKey;
}

/** A guard that holds removals, or held them and still watches. */
export interface GuardStatus {
  readonly id: string;
  /** What it guards: `source` or `service`. */
  readonly scope: string;
  readonly registry: string;
  readonly service?: ServiceKey;
  /** When it tripped, in epoch milliseconds. */
  readonly since: number;
  /** How many were removed, of how many. */
  readonly removed: number;
  readonly baseline: number;
  /** How many endpoints are held now. */
  readonly held: number;
  /** Epoch milliseconds; absent where only a person ends it. */
  readonly holdUntil?: number;
  readonly mode: string;
  /** What is likely behind it, for example `AUTH`. */
  readonly suspected?: string;
}

/** How withdrawals of ghosts are. `WithdrawalsStatus` of `@signalbox/aggregate` has this shape. */
export interface WithdrawalsView {
  readonly mode: "dry-run" | "delete";
  /** Nothing more is withdrawn until a person resumes. `at` in epoch milliseconds. */
  readonly stopped?: { readonly at: number; readonly reason: string };
  /** How many were withdrawn in the last hour, or would have been. */
  readonly lastHour: number;
  readonly maxPerHour: number;
  /** Services of which nothing is withdrawn although they have ghosts. Counts are of registrations. */
  readonly held: readonly {
    readonly registry: string;
    readonly service: ServiceKey;
    readonly listed: number;
    readonly ghosts: number;
    readonly reason: string;
  }[];
}

/** What a person decided about a guard. */
export type GuardDecision =
  /** The removals are right: let them go. */
  | { readonly type: "accept" }
  /** Hold at least until then, in epoch milliseconds. */
  | { readonly type: "extend"; readonly until: number };

/** A service's way from one registry to another by steps. */
export interface RampStatus {
  /** For example `RUNNING`, `HELD`, `DONE` or `ROLLED_BACK`. */
  readonly state: string;
  /** Weights in force, by registry pattern. */
  readonly weights: Readonly<Record<string, number>>;
  /** Epoch milliseconds. */
  readonly since?: number;
  readonly nextStepAt?: number;
  /** Why it is in this state, for people. */
  readonly detail?: string;
}

/** How far a service's migration is. */
export interface MigrationView {
  readonly report: MigrationReport;
  readonly ramp?: RampStatus;
}

/** Which two sides a migration report compares, as patterns of registries; what is absent comes from the configuration. */
export interface MigrationSides {
  readonly from?: string;
  readonly to?: string;
}

/** One entry of the journal. */
export interface JournalRow {
  readonly sequence: number;
  /** Epoch milliseconds. */
  readonly at: number;
  readonly kind: string;
  /** What happened, as JSON data without secrets. */
  readonly detail: unknown;
}

/** What a person changed, for the journal. */
export interface AcceptedWrite {
  /** Epoch milliseconds. */
  readonly at: number;
  readonly action:
    | "guard-accept"
    | "guard-extend"
    | "migration-resume"
    | "migration-rollback"
    | "override-add"
    | "override-remove"
    | "withdrawals-resume";
  /** Id of the guard or override, or key of the service. */
  readonly subject: string;
  readonly author: string;
  readonly reason?: string;
  /** Where the request came from, as the host saw it. */
  readonly remote?: string;
  /** What is so now. */
  readonly detail: unknown;
}

/** What became of a write. `absent`: there is no such thing. `refused`: not now or not here; the reason is for people. */
export type Written<T> =
  | { readonly type: "done"; readonly value: T }
  | { readonly type: "absent" }
  | { readonly type: "refused"; readonly reason: string };

/** A value now or later. */
export type Awaitable<T> = T | Promise<T>;

/**
 * Where the API gets what it shows, and what it may do. The composition root gives it in. What is absent is not configured: its routes
 * answer 404 and say so. Nothing a source returns may hold a secret.
 */
export interface ApiSources {
  catalog(): Catalog;
  sources(): readonly SourceView[];
  /** Services of one registry that could not have the name they want. Absent: not known here. */
  collisions?(): readonly CollisionView[];
  /** Why a service is as it is; `undefined` where nobody tells of it. */
  explain(service: ServiceKey): ServiceExplanation | undefined;
  drift?(): Awaitable<readonly DriftRow[]>;
  guards?(): Awaitable<readonly GuardStatus[]>;
  /** Resolves with the guard as it is afterwards. */
  decideGuard?(id: string, decision: GuardDecision, author: string): Awaitable<Written<GuardStatus>>;
  withdrawals?(): Awaitable<WithdrawalsView>;
  /** Resolves with how they are afterwards. Refused where they did not stop. */
  resumeWithdrawals?(author: string): Awaitable<Written<WithdrawalsView>>;
  /** Those in force. */
  overrides?(): Awaitable<readonly Override[]>;
  /** Gives it an id. A second one for the same endpoint takes the place of the first. */
  addOverride?(override: Omit<Override, "id">): Awaitable<Written<Override>>;
  removeOverride?(id: string, author: string): Awaitable<Written<Override>>;
  /** `undefined` where nothing says from where to where the service moves. */
  migration?(service: ServiceKey, sides: MigrationSides): Awaitable<MigrationView | undefined>;
  /** Resolves with the ramp as it is afterwards. */
  rampAction?(service: ServiceKey, action: "rollback" | "resume", author: string): Awaitable<Written<RampStatus>>;
  /** The first `limit` entries with `from` ≤ at < `to`, by sequence. Times are in epoch milliseconds. */
  journal?(range: {
    readonly from?: number;
    readonly to?: number;
    readonly limit: number;
  }): Awaitable<readonly JournalRow[]>;
  /** Told of every write that was accepted, after it. The client's answer waits for it. */
  journalled?(write: AcceptedWrite): Awaitable<void>;
}

/** A source that need not be there and that routes read or write through. */
export type OptionalSource = Exclude<keyof ApiSources, "catalog" | "sources" | "collisions" | "explain" | "journalled">;
