import { setTimeout as delay } from "node:timers/promises";

/** How long and how often `waitFor` asks. */
export interface WaitOptions {
  /** What is waited for, for the error's text. */
  readonly what: string;
  /** Milliseconds until it gives up. 10 s by default. */
  readonly deadlineMs?: number;
  /** Milliseconds between two questions. 20 by default. */
  readonly intervalMs?: number;
  readonly signal?: AbortSignal;
}

/** Thrown when the state did not come before the deadline. `cause` is the last error of the question, if it threw. */
export class WaitTimeoutError extends Error {
  readonly code = "SBX_WAIT_TIMEOUT";
  readonly what: string;
  readonly deadlineMs: number;

  constructor(what: string, deadlineMs: number, options?: ErrorOptions) {
    super(`waited ${deadlineMs} ms in vain for ${what}`, options);
    this.name = "WaitTimeoutError";
    this.what = what;
    this.deadlineMs = deadlineMs;
  }
}

/**
 * Asks until the answer is neither `undefined` nor `false`, and returns it. A question that throws counts as "not yet".
 * For the state of other processes only, which cannot call back. Rejects with a WaitTimeoutError at the deadline, even
 * when a question never settles, and with the signal's reason when it aborts.
 */
export async function waitFor<T>(
  ask: () => T | undefined | false | Promise<T | undefined | false>,
  options: WaitOptions,
): Promise<T> {
  const { what, deadlineMs = 10_000, intervalMs = 20 } = options;
  const timeout = AbortSignal.timeout(deadlineMs);
  const signal = options.signal === undefined ? timeout : AbortSignal.any([timeout, options.signal]);
  let lastError: unknown;
  const givenUp = new Promise<never>((_, reject) => {
    const giveUp = (): void => {
      if (options.signal?.aborted === true) reject(options.signal.reason as Error);
      else reject(new WaitTimeoutError(what, deadlineMs, lastError === undefined ? {} : { cause: lastError }));
    };
    if (signal.aborted) giveUp();
    else signal.addEventListener("abort", giveUp, { once: true });
  });
  const asking = async (): Promise<T> => {
    for (;;) {
      try {
        const answer = await ask();
        if (answer !== undefined && answer !== false) return answer;
      } catch (error) {
        lastError = error;
      }
      // The loser of the race below must not go on asking.
      await delay(intervalMs, undefined, { signal });
    }
  };
  return Promise.race([givenUp, asking()]);
}
