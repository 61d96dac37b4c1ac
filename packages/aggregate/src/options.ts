import type { EventBus } from "@signalbox/event-bus";
import type { RegistryId, Revision } from "@signalbox/model";
import type { Clock, Logger, Metrics, Registry } from "@signalbox/registry";
import type { RestoreOptions } from "./archive.ts";
import type { FreshnessOptions } from "./freshness.ts";
import type { MergePolicy } from "./merge.ts";

/** How changes are gathered before they are published. Milliseconds. */
export interface DebounceOptions {
  /** A storm ends when nothing changed for this long; a change after such a quiet time goes at once. Default 50. */
  readonly quietMs: number;
  /** A storm is published at least this often. Default 1000. */
  readonly maxMs: number;
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

/** What an aggregate is made of. */
export interface AggregateOptions {
  /** The road that the catalog is published on. */
  readonly bus: Pick<EventBus, "lead">;
  /** Registries to start with, highest precedence first. */
  readonly registries?: readonly Registry[];
  /** How the records of several registries become one entry. Default `unionMerge`. */
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
}

/** How one registry is added. */
export interface AddRegistryOptions {
  /** A lower number wins where two registries disagree. Default: one more than the highest so far. */
  readonly precedence?: number;
  /** Overrides the aggregate's `syncDeadlineMs`. */
  readonly syncDeadlineMs?: number;
  /** Overrides the aggregate's `freshness`, member by member. */
  readonly freshness?: Partial<FreshnessOptions>;
}

export const defaultSyncDeadlineMs = 30_000;
export const defaultDebounce: DebounceOptions = { quietMs: 50, maxMs: 1000 };
export const defaultRestart: RestartOptions = { firstMs: 1000, maxMs: 30_000, steadyMs: 60_000, endMs: 10_000 };
