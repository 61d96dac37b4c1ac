import type {
  ConfigObject,
  Delta,
  ObjectKey,
  RegistryId,
  ServiceKey,
  ServiceRecord,
  Workload,
  WorkloadKey,
} from "@signalbox/model";

/** What a registry said, as it said it. */
export type JournalUpdate =
  /** The whole of what the registry knows. */
  | {
      readonly type: "snapshot";
      readonly records: readonly ServiceRecord[];
      readonly workloads?: readonly Workload[];
      readonly objects?: readonly ConfigObject[];
      readonly version?: string;
    }
  /** Whole records for what changed. */
  | {
      readonly type: "delta";
      readonly records?: Delta<ServiceKey, ServiceRecord>;
      readonly workloads?: Delta<WorkloadKey, Workload>;
      readonly objects?: Delta<ObjectKey, ConfigObject>;
      readonly version?: string;
    };

/** All that one registry said, at one point of the journal. */
export interface RegistryContent {
  readonly registry: RegistryId;
  readonly records: readonly ServiceRecord[];
  readonly workloads: readonly Workload[];
  readonly objects: readonly ConfigObject[];
}

/**
 * What a caller puts into the journal. `at` is in epoch milliseconds. What is typed `unknown` is plain JSON data; members that are
 * `undefined` are left out.
 */
export type JournalEntry =
  /** A registry said something new. */
  | {
      readonly type: "update";
      readonly at: number;
      readonly registry: RegistryId;
      readonly update: JournalUpdate;
    }
  /** A complete read of a registry found nothing new. */
  | { readonly type: "alive"; readonly at: number; readonly registry: RegistryId }
  /** A registry cannot be read. */
  | {
      readonly type: "degraded";
      readonly at: number;
      readonly registry: RegistryId;
      /** The class of the problem: `UNREACHABLE`, `AUTH_FAILED`, `PROTOCOL_ERROR`. */
      readonly problem: string;
      readonly message: string;
    }
  /** Time passed, and something was decided because of it alone. */
  | { readonly type: "tick"; readonly at: number }
  /** A stage decided something. */
  | {
      readonly type: "decision";
      readonly at: number;
      /** The stage that decided: `guard`, `drift`, `ramp`. */
      readonly stage: string;
      /** Its reason code, in capitals. */
      readonly code: string;
      readonly registry?: RegistryId;
      readonly service?: ServiceKey;
      readonly detail?: unknown;
    }
  /** A person did something. */
  | {
      readonly type: "operator";
      readonly at: number;
      readonly author: string;
      /** What was done: `override`, `guard`, `ramp`, … */
      readonly action: string;
      readonly detail?: unknown;
    }
  /** From here on this configuration is in force. */
  | {
      readonly type: "config";
      readonly at: number;
      /** Content hash of the configuration. */
      readonly config: string;
    }
  /** All that is known at this point: a replay may begin here. */
  | {
      readonly type: "snapshot";
      readonly at: number;
      readonly registries: readonly RegistryContent[];
      /** Content hash of the configuration in force, for those who begin here. */
      readonly config?: string;
      /** What else a replay must know, for example what guards hold and since when. */
      readonly state?: unknown;
    };

/**
 * Entries that were lost: the disk took nothing for too long, or one of them could not be written. It stands where they would
 * stand: its own `seq` is that of the last lost entry. What is known after it is uncertain until the next snapshot.
 */
export interface GapEntry {
  readonly type: "gap";
  /** Time of the last lost entry, in epoch milliseconds. */
  readonly at: number;
  /** The sequence number of the first lost entry. */
  readonly from: number;
  /** Time of the first lost entry, in epoch milliseconds. */
  readonly fromAt: number;
  /** Why the first of them was lost. */
  readonly reason: LossReason;
}

/** `FULL`: too much was waiting for the disk. `TOO_LARGE`: over the limit for one record. `INVALID`: no plain JSON data. */
export type LossReason = "FULL" | "TOO_LARGE" | "INVALID";

/** Where a record stands in the journal, and what ties it to the one before. */
export interface Link {
  /** Counts from 1, without holes: a gap record stands for all the numbers that it lost. */
  readonly seq: number;
  /** The hash of the line before: a record, or the header of the segment. */
  readonly prev: string;
  /** SHA-256 of the line up to the hash, 64 hexadecimal digits. */
  readonly hash: string;
}

/** One record as it stands in the journal. */
export type JournalRecord = Link & (JournalEntry | GapEntry);
