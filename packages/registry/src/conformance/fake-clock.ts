import type { Clock } from "../clock.ts";

/** One wait that a FakeClock has not ended yet. */
export interface PendingSleep {
  /** When it is due, in epoch milliseconds of the fake clock. */
  readonly at: number;
  /** How long the sleeper asked for, in milliseconds. */
  readonly ms: number;
}

interface Sleeper extends PendingSleep {
  wake(): void;
}

/**
 * A clock that stands still until it is told to move. Sleeps are visible while they are pending; an aborted one
 * leaves nothing behind. `asked` records every wait ever asked for.
 */
export class FakeClock implements Clock {
  #now: number;
  #sleepers: Sleeper[] = [];
  readonly #asked: number[] = [];

  /** Starts at the given epoch milliseconds; default: the first instant of 2026. */
  constructor(start: number = Date.UTC(2026, 0, 1)) {
    this.#now = start;
  }

  now(): number {
    return this.#now;
  }

  /** The waits that have not ended, the next one first. */
  get pending(): readonly PendingSleep[] {
    return this.#sleepers.map(({ at, ms }) => ({ at, ms }));
  }

  /** Every wait that was asked for so far, in milliseconds, in order. */
  get asked(): readonly number[] {
    return this.#asked;
  }

  sleep(ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      signal.throwIfAborted();
      this.#asked.push(ms);
      const abort = (): void => {
        this.#sleepers = this.#sleepers.filter((other) => other !== sleeper);
        reject(signal.reason as Error);
      };
      const sleeper: Sleeper = {
        at: this.#now + Math.max(0, ms),
        ms,
        wake: () => {
          signal.removeEventListener("abort", abort);
          resolve();
        },
      };
      signal.addEventListener("abort", abort, { once: true });
      const after = this.#sleepers.findIndex((other) => other.at > sleeper.at);
      this.#sleepers.splice(after < 0 ? this.#sleepers.length : after, 0, sleeper);
    });
  }

  /**
   * Moves time on, waking sleepers in the order in which they are due. After each one it lets everything that waits on
   * promises run, so sleeps that begin meanwhile and fall due within the time are woken as well.
   */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms;
    await macrotask();
    for (let next = this.#sleepers[0]; next !== undefined && next.at <= end; next = this.#sleepers[0]) {
      this.#now = Math.max(this.#now, next.at);
      this.#sleepers.shift();
      next.wake();
      await macrotask();
    }
    this.#now = end;
  }

  /** Moves to the moment when the next sleeper is due and wakes it. Returns false if nobody sleeps. */
  async advanceToNext(): Promise<boolean> {
    const next = this.#sleepers[0];
    if (next === undefined) return false;
    await this.advance(Math.max(0, next.at - this.#now));
    return true;
  }
}

function macrotask(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
