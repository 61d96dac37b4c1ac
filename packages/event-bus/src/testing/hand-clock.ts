import type { BusClock } from "../clock.ts";

interface Sleeper {
  readonly at: number;
  wake(): void;
}

/** A clock that stands still until it is told to move. */
export class HandClock implements BusClock {
  #now = 1000;
  #sleepers: Sleeper[] = [];

  now(): number {
    return this.#now;
  }

  /** How many sleep. */
  get sleeping(): number {
    return this.#sleepers.length;
  }

  sleep(ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      signal.throwIfAborted();
      const abort = (): void => {
        this.#sleepers = this.#sleepers.filter((other) => other !== sleeper);
        reject(signal.reason as Error);
      };
      const sleeper = {
        at: this.#now + Math.max(0, ms),
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

  /** Moves time on and wakes one sleeper after the other when it is due; work that is ready is done in between. */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms;
    await settled();
    for (let next = this.#sleepers[0]; next !== undefined && next.at <= end; next = this.#sleepers[0]) {
      this.#now = Math.max(this.#now, next.at);
      this.#sleepers.shift();
      next.wake();
      await settled();
    }
    this.#now = end;
    await settled();
  }

  /** Moves time on while nothing runs, as for a process that is stopped. Who is due wakes with the next `advance`. */
  jump(ms: number): void {
    this.#now += ms;
  }
}

/** Lets work be done that is ready, also what takes some calls of an engine in memory. */
export async function settled(turns = 12): Promise<void> {
  for (let turn = 0; turn < turns; turn++) await new Promise<void>((resolve) => setImmediate(resolve));
}
