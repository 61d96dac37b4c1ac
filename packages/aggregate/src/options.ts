import type { EventBus } from "@signalbox/event-bus";
import type { CatalogEntry, RegistryId, Revision, ServiceKey } from "@signalbox/model";
import { defaultRules } from "@signalbox/policy";
import type {
  CandidateRecord,
  DriftOptions,
  GuardRule,
  IdentityRule,
  MergeServiceInput,
  Override,
  Pattern,
  SavedSlowStart,
  ServiceRules,
} from "@signalbox/policy";
import type { Clock, Logger, Metrics, Registry } from "@signalbox/registry";
import type { RestoreOptions } from "./archive.ts";
import type { FreshnessOptions } from "./freshness.ts";
import type { AggregateInput } from "./input.ts";
import type { SavedRamp } from "./ramp-status.ts";

/** How changes are gathered before they are published. Milliseconds. */
export interface DebounceOptions {
  /** A storm ends when nothing changed for this long; a change after such a quiet time goes at once. Default 50. */
  readonly quietMs: number;
  /** A storm is published at least this often. Default 1000. */
  readonly maxMs: number;
  /**
   * A change that leaves its service as it was, and concerns only its endpoints, waits no longer than this (and than `maxMs`), unless
   * publishing itself takes long. What waits with it goes along. Default 50.
   */
  readonly endpointsMaxMs: number;
}

/** How runs of registries that end by themselves are started again. Milliseconds. */
export interface RestartOptions {
  /** The first wait; each further one is twice as long. Default 1000. */
  readonly firstMs: number;
  /** The longest wait. Default 30,000. */
  readonly maxMs: number;
  /** A run that pushed a snapshot and lasted this long makes the next wait the first one again. Default 60,000. */
  readonly steadyMs: number;
  /** How long a run that was told to end is waited for; then it is left behind, unheard. Default 10,000. */
  readonly endMs: number;
}

/** One publication on the bus. */
export interface Publication {
  readonly revision: Revision;
  /** Milliseconds from the first change in it to the moment at which the bus had taken all of them. */
  readonly debounceMs: number;
}

/** Makes one catalog entry of what the stages left; `undefined` leaves the service out. Pure. */
export type MergePolicy = (input: MergeServiceInput) => CatalogEntry | undefined;

/** Which ghosts sources are told of, so that they list them no longer. */
export interface WithdrawalRule {
  /** Whether it is only said what would be done. */
  readonly dryRun: boolean;
  readonly registries: readonly Pattern[];
  /** Canonical hostnames. */
  readonly services: readonly Pattern[];
  /** How long an endpoint must have been a ghost. */
  readonly ghostForMs: number;
  /** The least time between two of them. */
  readonly everyMs: number;
  /**
   * Part of the registrations that a registry lists of a service, 0..1, of which not more may be ghosts: else none of the service is withdrawn.
   * Those that were withdrawn within the last hour count as if they were still there.
   */
  readonly maxShare: number;
  /** So many registrations that are no ghosts the registry must list of the service. */
  readonly keep: number;
  /** Withdrawals of all services within an hour; where there are more to be made, none is until a person says so. */
  readonly maxPerHour: number;
}

/** What becomes of what registries say. */
export interface CatalogRules {
  /** What services are called in the catalog. */
  readonly identity: readonly IdentityRule[];
  /** The rules of one service, by its canonical key: the same for the same key each time. */
  readonly of: (service: ServiceKey) => ServiceRules;
  /** Whose workloads are the truth, and about what. Default: nothing is compared. */
  readonly drift?: DriftOptions;
  /** Default: sources are told nothing. */
  readonly withdrawal?: WithdrawalRule;
  /** Registries whose removals are doubted. */
  readonly guarded: readonly Pattern[];
  /** When, for a registry as a whole. */
  readonly guard: GuardRule;
}

/** What an aggregate is made of. */
export interface AggregateOptions {
  /** The road that the catalog is published on. */
  readonly bus: Pick<EventBus, "lead">;
  /** Registries to start with, highest precedence first. */
  readonly registries?: readonly Registry[];
  /** What becomes of what registries say. Default: the union of all, each under the registry's own name. */
  readonly rules?: CatalogRules;
  /** People's overrides from before a restart. */
  readonly overrides?: readonly Override[];
  /** How far ramps were before a restart. One that is not here is where the times of its steps say. */
  readonly ramps?: readonly SavedRamp[];
  /** Endpoints that were not at their full weight before a restart. Those that are not here have it, unless they registered just now. */
  readonly slowStarts?: readonly SavedSlowStart[];
  /** How the records of several registries become one entry. Default `mergeService` of @signalbox/policy. */
  readonly merge?: MergePolicy;
  /** How long publishing waits for the first snapshot of each registry, in milliseconds. Default 30,000. */
  readonly syncDeadlineMs?: number;
  readonly debounce?: Partial<DebounceOptions>;
  readonly restart?: Partial<RestartOptions>;
  /** When what registries said is too old. */
  readonly freshness?: Partial<FreshnessOptions>;
  /** Keeps what registries say over restarts. Default: nothing is kept. */
  readonly state?: RestoreOptions;
  readonly clock?: Clock;
  readonly logger?: Logger;
  /** Gives the metrics in which the updates that a registry gets wrong are counted. Default: nobody counts. */
  metrics?(registry: RegistryId): Metrics;
  /** Called synchronously after each publication; must not throw. */
  onPublish?(publication: Publication): void;
  /** Told synchronously what the stages before the merge left of a service, each time it is looked at; must not throw. */
  onStaged?(service: ServiceKey, records: readonly CandidateRecord[]): void;
  /** Told synchronously when `decisions.slowStarts()` gives something else, to keep it; must not throw. */
  onSlowStart?(): void;
  /** Told synchronously of everything that decides about the catalog, in its order, for a journal; must not throw. */
  onInput?(input: AggregateInput): void;
}

/**
 * What happens when a registry has not spoken by its sync deadline. `proceed-partial`: the others go on, with what is kept from before a restart
 * if there is something. `proceed-with-restored`: they go on only with that. `block`: they wait until it speaks; what is kept does not
 * stand in.
 */
export type StartPolicy = "proceed-partial" | "proceed-with-restored" | "block";

/** How one registry is added. */
export interface AddRegistryOptions {
  /** A lower number wins where two registries disagree. Default: one more than the highest so far. */
  readonly precedence?: number;
  /** Overrides the aggregate's `syncDeadlineMs`. */
  readonly syncDeadlineMs?: number;
  /** Default `proceed-partial`. */
  readonly startPolicy?: StartPolicy;
  /** Overrides the aggregate's `freshness`, member by member. */
  readonly freshness?: Partial<FreshnessOptions>;
}

/** Every registry's word is taken, under its own names. */
export const defaultCatalogRules: CatalogRules = {
  identity: [],
  of: () => defaultRules,
  guarded: [],
  guard: defaultRules.guard,
};
export const defaultSyncDeadlineMs = 30_000;
export const defaultDebounce: DebounceOptions = { quietMs: 50, maxMs: 1000, endpointsMaxMs: 50 };
export const defaultRestart: RestartOptions = { firstMs: 1000, maxMs: 30_000, steadyMs: 60_000, endMs: 10_000 };
