import type {
  ConfigObject,
  Delta,
  ObjectKey,
  RegistryId,
  ServiceInstance,
  ServiceKey,
  ServiceRecord,
  Workload,
  WorkloadKey,
} from "@signalbox/model";
import type { Clock } from "./clock.ts";
import type { Logger, Metrics } from "./observability.ts";

/** What a registry says. Data handed over is frozen by the receiver and must not be changed afterwards. */
export type RegistryUpdate =
  /** The whole shard. Replaces all the registry said before. An empty list is a true statement, not an error. */
  | {
      readonly type: "snapshot";
      readonly records: readonly ServiceRecord[];
      readonly workloads?: readonly Workload[];
      readonly objects?: readonly ConfigObject[];
      /** The source's own version of the complete read that this comes from, opaque. Left out where it has none, or the read held something back. */
      readonly version?: string;
    }
  /** Whole records for what changed. Legal only after this run's first snapshot. */
  | {
      readonly type: "delta";
      readonly records?: Delta<ServiceKey, ServiceRecord>;
      readonly workloads?: Delta<WorkloadKey, Workload>;
      readonly objects?: Delta<ObjectKey, ConfigObject>;
      readonly version?: string;
    };

/** Why a source cannot be read now. */
export type Problem = "UNREACHABLE" | "AUTH_FAILED" | "PROTOCOL_ERROR";

/** Where a registry says what it knows. Calls never throw and never block. */
export interface RegistrySink {
  push(update: RegistryUpdate): void;
  /** A complete read found nothing new: the source is alive and what was pushed is still true. */
  alive(): void;
  /** The source cannot be read now. State already pushed stays in force (stale beats partial). */
  degraded(problem: Problem, error: Error): void;
}

/** All that one registry's shard of the catalog holds. */
export interface ShardContent {
  readonly records: readonly ServiceRecord[];
  readonly workloads: readonly Workload[];
  readonly objects: readonly ConfigObject[];
}

/** What is in force of a registry when one of its runs begins. */
export interface Baseline {
  /**
   * What an earlier run said last, or what was kept from before a restart, also while it is not served yet; empty where
   * nothing is known, or where it is too old to be served. It is of this registry alone, checked and frozen, but may come
   * from another configuration of it. Resolves once what is kept was read; rejects only with the signal's reason.
   */
  load(signal: AbortSignal): Promise<ShardContent>;
}

/** One source of services. It owns the shard of the catalog that its id names, and can touch no other. */
export interface Registry {
  readonly id: RegistryId;
  /**
   * Runs until `signal` aborts, then resolves with all timers, sockets and watches released. Pushes a snapshot first.
   * Rejects only on a permanent error. May be called again after it ended.
   *
   * The first snapshot replaces the baseline. A registry whose source may answer well and list too little (it restarted
   * without its data) asks for the baseline before it judges its first read, and lets go of what is in it as late as of
   * what it read itself. Others ignore it. Without a baseline nothing is known of earlier runs.
   */
  run(sink: RegistrySink, signal: AbortSignal, baseline?: Baseline): Promise<void>;
  /**
   * Has the source list an endpoint no longer, as if it had deregistered itself: the whole instance, with all its ports. `instance` as this registry
   * said it. The source is asked first, and told nothing where it says something else of the instance now, or that it is alive. Rejects
   * where the source refuses. A registry that cannot do this has no such member. The only thing that is ever written to a source; nobody calls it
   * unless users want it.
   */
  withdraw?(instance: ServiceInstance, signal: AbortSignal): Promise<WithdrawalResult>;
}

/** What became of a withdrawal. */
export type WithdrawalResult =
  /** The source was told, and lists it no longer. */
  | { readonly type: "done" }
  /** The source did not have it any more. */
  | { readonly type: "gone" }
  /** The source was told nothing. */
  | { readonly type: "kept"; /** For people. */ readonly reason: string };

/** What the composition root gives to a registry. */
export interface RegistryDeps {
  /** The name given in the configuration; with the module's provider it makes the registry's id. */
  readonly name: string;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly metrics: Metrics;
  /** Folder that relative paths in the configuration start from. */
  readonly baseDir: string;
}

/** One kind of source. */
export interface RegistryModule<Config> {
  /** Lower-case, unique, also the YAML value: `kubernetes`, `consul`, `eureka`, `static`. */
  readonly provider: string;
  /** Checks a configuration and fills in the defaults. Throws a ConfigError that names the field; unknown keys are errors. */
  parseConfig(input: unknown): Config;
  create(config: Config, deps: RegistryDeps): Registry;
}
