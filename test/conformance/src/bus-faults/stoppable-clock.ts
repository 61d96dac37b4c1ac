import { setTimeout as delay } from "node:timers/promises";
import type { BusClock } from "@signalbox/event-bus";

/** A clock of one process that can be stopped: then its time stands still, and nobody who sleeps by it wakes. */
export class StoppableClock implements BusClock {
  #behindMs = 0;
  #stoppedAt: number | undefined;
  #go: () => void = () => {};
  #going: Promise<void> = Promise.resolve();

  now(): number {
    return (this.#stoppedAt ?? performance.now()) - this.#behindMs;
  }

  async sleep(ms: number, signal: AbortSignal): Promise<void> {
    const until = this.now() + ms;
    try {
      // At least once, as any sleep lets others run.
      do await delay(Math.max(0, until - this.now()), undefined, { signal });
      while (this.now() < until && (await this.#went(signal)));
    } catch (error) {
      signal.throwIfAborted();
      throw error;
    }
  }

  stop(): void {
    if (this.#stoppedAt !== undefined) return;
    this.#stoppedAt = performance.now();
    this.#going = new Promise((resolve) => (this.#go = resolve));
  }

  go(): void {
    if (this.#stoppedAt === undefined) return;
    this.#behindMs += performance.now() - this.#stoppedAt;
    this.#stoppedAt = undefined;
    this.#go();
  }

  /** Resolves with true when the clock goes. Rejects when the signal aborts. */
  async #went(signal: AbortSignal): Promise<boolean> {
    signal.throwIfAborted();
    await new Promise<void>((resolve, reject) => {
      const abort = (): void => reject(signal.reason as Error);
      signal.addEventListener("abort", abort, { once: true });
      void this.#going.then(() => {
        signal.removeEventListener("abort", abort);
        resolve();
      });
    });
    return true;
  }
}
