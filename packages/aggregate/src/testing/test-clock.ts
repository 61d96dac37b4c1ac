import type { Clock } from "@signalbox/registry";

interface Sleeper {
  readonly at: number;
  wake(): void;
}

/** A clock that stands until a test moves it. */
export class TestClock implements Clock {
  readonly #sleepers = new Set<Sleeper>();
  #now = 1_000_000;

  /** How many sleeps wait. */
  get sleeping(): number {
    return this.#sleepers.size;
  }

  now(): number {
    return this.#now;
  }

  async sleep(ms: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    await new Promise<void>((resolve, reject) => {
      const end = () => {
        this.#sleepers.delete(sleeper);
        signal.removeEventListener("abort", end);
        if (signal.aborted) reject(signal.reason as Error);
        else resolve();
      };
      const sleeper = { at: this.#now + ms, wake: end };
      this.#sleepers.add(sleeper);
      signal.addEventListener("abort", end, { once: true });
    });
  }

  /** Moves the time, waking sleepers in their order, each at its own time. Afterwards nothing is left to do. */
  async advance(ms: number): Promise<void> {
    const target = this.#now + ms;
    for (;;) {
      await settled();
      const next = [...this.#sleepers].sort((a, b) => a.at - b.at)[0];
      if (next === undefined || next.at > target) break;
      this.#now = Math.max(this.#now, next.at);
      next.wake();
    }
    this.#now = target;
    await settled();
  }

  /** Sets the time without waking anybody, as an operator does. */
  set(now: number): void {
    this.#now = now;
  }
}

/** Resolves when all work that is ready has been done. */
export async function settled(): Promise<void> {
  // A turn of the event loop ends only when no promise has a callback left to run.
  await new Promise<void>((resolve) => setImmediate(resolve));
}
