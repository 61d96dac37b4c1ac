import type { Clock } from "@signalbox/registry";

interface Sleeper {
  readonly at: number;
  readonly wake: () => void;
}

/** A clock that stands still but for `advance`. */
export class ReplayClock implements Clock {
  #now: number;
  #sleepers: Sleeper[] = [];

  /** `start` in epoch milliseconds. */
  constructor(start: number) {
    this.#now = start;
  }

  now(): number {
    return this.#now;
  }

  sleep(ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      signal.throwIfAborted();
      const abort = (): void => {
        this.#sleepers = this.#sleepers.filter((other) => other !== sleeper);
        reject(signal.reason as Error);
      };
      const sleeper: Sleeper = {
        at: this.#now + Math.max(0, ms),
        wake: () => {
          signal.removeEventListener("abort", abort);
          resolve();
        },
      };
      signal.addEventListener("abort", abort, { once: true });
      this.#sleepers.push(sleeper);
    });
  }

  /**
   * Moves to a time, stopping at everything that waits for one before it, in order, and lets each come to rest before the next. A time in the past
   * moves nothing.
   */
  async advance(to: number): Promise<void> {
    for (;;) {
      await rest();
      const next = this.#sleepers.reduce<Sleeper | undefined>(
        (first, one) => (first === undefined || one.at < first.at ? one : first),
        undefined,
      );
      if (next === undefined || next.at > to) break;
      this.#now = Math.max(this.#now, next.at);
      this.#sleepers = this.#sleepers.filter((other) => other !== next);
      next.wake();
    }
    this.#now = Math.max(this.#now, to);
  }
}

/** Resolves when everything has run that was only waiting for its turn. */
async function rest(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await new Promise<void>((resolve) => setImmediate(resolve));
}
