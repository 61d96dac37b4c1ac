/** How long to wait between failed attempts. One per source; it belongs to one loop. */
export interface Backoff {
  /** The wait after one more failure, in whole milliseconds, at least 1. */
  next(): number;
  /** Forgets the failures: the source is healthy. */
  reset(): void;
}

/** Bounds of a backoff. */
export interface BackoffOptions {
  /** The longest wait after the first failure, in milliseconds; it doubles with each further one. Default 250. */
  readonly firstMs?: number;
  /** The longest wait ever, in milliseconds. Default 30000. */
  readonly maxMs?: number;
  /** A number from 0 (inclusive) to 1 (exclusive). Default `Math.random`. */
  readonly random?: () => number;
}

/**
 * Exponential backoff with full jitter: each wait is uniformly random up to a limit that doubles, so that many readers of
 * one source that failed together do not come back together.
 */
export function backoff(options: BackoffOptions = {}): Backoff {
  const { firstMs = 250, maxMs = 30_000, random = Math.random } = options;
  let failures = 0;
  return {
    next() {
      const limit = Math.min(maxMs, firstMs * 2 ** failures);
      // The exponent stops where the limit does, or it would reach Infinity.
      if (limit < maxMs) failures++;
      return Math.max(1, Math.ceil(random() * limit));
    },
    reset() {
      failures = 0;
    },
  };
}
