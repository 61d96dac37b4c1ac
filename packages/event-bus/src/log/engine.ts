/**
 * The right to write, as an engine gave it: a fencing token. A later claim has a larger number; the nonce tells two claims
 * apart even where an engine lost its data and began to count anew.
 */
export interface Claim {
  readonly number: number;
  readonly nonce: string;
}

/** Where readers find the catalog now. */
export interface LogHead {
  readonly claim: Claim;
  /** Position of the first frame of the latest complete snapshot in the claim's log. */
  readonly begin: number;
}

/** What a log holds, by the positions of its frames. An empty one has `last` one below `first`. */
export interface LogExtent {
  readonly first: number;
  readonly last: number;
}

/** One stored piece. Positions of a log are whole numbers that follow each other from 1. */
export interface Frame {
  readonly position: number;
  readonly bytes: Uint8Array;
}

/**
 * What a distributed engine must offer so that a catalog can travel over it: a lease that one process holds at a time,
 * claims that fence all earlier ones, one append-only log for each claim, and a head that tells readers which log counts.
 *
 * Every call may reject when the engine cannot be reached, and with the signal's reason when it aborts. A call that rejects
 * may have happened. Calls end by themselves within seconds when the engine hangs.
 */
export interface LogEngine {
  /** The largest frame, in bytes, that the engine takes. */
  maxFrameBytes(signal: AbortSignal): Promise<number>;
  /**
   * Takes the lease for `holder` if nobody has it or `holder` has it already. It ends by itself after `ttlMs`, by the
   * engine's clock, unless it is renewed. Resolves with whether `holder` has it.
   */
  acquire(holder: string, ttlMs: number, signal: AbortSignal): Promise<boolean>;
  /** Prolongs the lease. Resolves with false when `holder` has it no longer. */
  renew(holder: string, ttlMs: number, signal: AbortSignal): Promise<boolean>;
  /** Gives the lease back, if `holder` has it. */
  release(holder: string, signal: AbortSignal): Promise<void>;
  /**
   * Makes a new claim, larger than every earlier one, with an empty log. When it resolves, nothing can be appended to the
   * logs of earlier claims any more, nor can their writers move the head. Readers notice nothing.
   */
  claim(signal: AbortSignal): Promise<Claim>;
  /**
   * Appends frames behind position `after`, in order. Resolves when all are stored. Rejects with a LogFencedError where a
   * later claim exists, the log is gone, or it does not end at `after`. Rejects with another error where the outcome is not
   * known.
   */
  append(claim: Claim, after: number, frames: readonly Uint8Array[], signal: AbortSignal): Promise<void>;
  /** Sends readers to the claim's log, from `begin` on. Rejects with a LogFencedError where a later claim exists. */
  setHead(head: LogHead, signal: AbortSignal): Promise<void>;
  /** Lets go of what is before `position`. Only readers that are behind may notice. */
  trim(claim: Claim, position: number, signal: AbortSignal): Promise<void>;
  /** Removes the logs of all earlier claims. */
  removeEarlier(claim: Claim, signal: AbortSignal): Promise<void>;
  /** What the claim's log holds, whether the claim is the latest one or not; undefined where there is no such log. */
  extent(claim: Claim, signal: AbortSignal): Promise<LogExtent | undefined>;
  /** Where readers find the catalog; undefined where nothing was ever published, or the engine lost it. */
  head(signal: AbortSignal): Promise<LogHead | undefined>;
  /** Resolves when the head may be of another claim than this one. Rejects when the engine cannot be reached. */
  moved(claim: Claim, signal: AbortSignal): Promise<void>;
  /**
   * Yields the frames of a log from a position on, in batches as they come, for ever. Rejects with a LogGoneError where there is no such log.
   * Positions are what the engine says: a jump tells the reader that something is missing.
   */
  read(claim: Claim, from: number, signal: AbortSignal): AsyncIterable<readonly Frame[]>;
  /** Ends all connections. Nothing can be called afterwards. */
  close(): Promise<void>;
}

/** Thrown when a claim is no longer the latest one, or its log is not what its writer left. */
export class LogFencedError extends Error {
  readonly code = "SBX_LOG_FENCED";

  constructor(reason: string, options?: ErrorOptions) {
    super(reason, options);
    this.name = "LogFencedError";
  }
}

/** Thrown when a log, or a part of it that is needed, is not there. */
export class LogGoneError extends Error {
  readonly code = "SBX_LOG_GONE";

  constructor(reason: string, options?: ErrorOptions) {
    super(reason, options);
    this.name = "LogGoneError";
  }
}
