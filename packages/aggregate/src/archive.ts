import type { RegistryId } from "@signalbox/model";
import type { ShardContent } from "@signalbox/registry";

/** All that one registry said, as it was when its last complete read ended. */
export interface ArchivedShard extends ShardContent {
  /** Epoch milliseconds. */
  readonly lastCompleteRead: number;
}

/** Keeps what registries said over restarts. */
export interface ShardArchive {
  /**
   * What was saved last; `undefined` where there is nothing usable. The aggregate checks every record again. A rejection
   * is logged and counts as nothing.
   */
  load(id: RegistryId): Promise<ArchivedShard | undefined>;
  /** Replaces what was saved before: afterwards either all of the old or all of the new is there. */
  save(id: RegistryId, shard: ArchivedShard): Promise<void>;
}

/** How content is kept over restarts, and when it comes back. */
export interface RestoreOptions {
  readonly archive: ShardArchive;
  /**
   * When what a registry said before a restart is served: `at-deadline`, if the registry has not pushed a snapshot by its
   * sync deadline, or `at-once`, so that nobody waits for it. Default `at-deadline`.
   */
  readonly restore?: "at-deadline" | "at-once";
  /** Changed content is saved at most once in so many milliseconds, and at the end of the run. Default 10,000. */
  readonly saveEveryMs?: number;
}

export const defaultSaveEveryMs = 10_000;
