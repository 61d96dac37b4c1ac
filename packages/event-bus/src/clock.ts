import { setTimeout as delay } from "node:timers/promises";

/** Time as leases see it. */
export interface BusClock {
  /** Milliseconds from any point; never set back. */
  now(): number;
  /** Resolves after `ms` milliseconds; rejects with the signal's reason as soon as it aborts, leaving no timer. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
}

/** The machine's monotonic clock. */
export const monotonicClock: BusClock = {
  now: () => performance.now(),
  sleep: async (ms, signal) => {
    signal.throwIfAborted();
    try {
      await delay(ms, undefined, { signal });
    } catch (error) {
      signal.throwIfAborted();
      throw error;
    }
  },
};

/** Milliseconds since 1970: those of the machine when the process began, and what passed since. */
export function wallClock(): number {
  return performance.timeOrigin + performance.now();
}
