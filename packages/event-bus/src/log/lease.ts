import type { BusClock } from "../clock.ts";
import type { LogEngine } from "./engine.ts";

/** How a lease is held. Milliseconds. */
export interface LeaseTimes {
  /** A lease that is not renewed ends after this time. Default 4000. */
  readonly ttlMs: number;
  /** How often it is renewed. Default 1000. */
  readonly renewMs: number;
  /** How often somebody who waits for it tries to get it. Default 500. */
  readonly retryMs: number;
}

export const defaultLeaseTimes: LeaseTimes = { ttlMs: 4000, renewMs: 1000, retryMs: 500 };

/** What a lease works with. */
export interface LeaseOptions {
  readonly engine: LogEngine;
  readonly holder: string;
  readonly times: LeaseTimes;
  readonly clock: BusClock;
  /** Told of each attempt that failed because the engine could not be reached. */
  readonly onTrouble: (error: unknown) => void;
}

/**
 * A lease of the engine, and our own opinion about it: it is over when the engine says so, or when our own clock says that
 * it was not renewed in time, whatever the engine would say. Who sleeps through its end finds it over.
 */
export class Lease {
  readonly #options: LeaseOptions;
  readonly #over = new AbortController();
  #validUntil: number;
  #kept: Promise<void> = Promise.resolve();

  private constructor(options: LeaseOptions, validUntil: number) {
    this.#options = options;
    this.#validUntil = validUntil;
  }

  /** Waits until the engine gives the lease. Rejects with the signal's reason when it aborts. */
  static async acquire(options: LeaseOptions, signal: AbortSignal): Promise<Lease> {
    const { clock, engine, holder, onTrouble, times } = options;
    for (;;) {
      signal.throwIfAborted();
      const asked = clock.now();
      try {
        if (await engine.acquire(holder, times.ttlMs, signal)) return new Lease(options, asked + times.ttlMs);
      } catch (error) {
        signal.throwIfAborted();
        onTrouble(error);
      }
      await clock.sleep(times.retryMs, signal);
    }
  }

  /** Aborts when the lease is over, with the reason. */
  get over(): AbortSignal {
    return this.#over.signal;
  }

  /** Whether the lease is still ours, as far as we can know. */
  get valid(): boolean {
    if (!this.#over.signal.aborted && this.#options.clock.now() >= this.#validUntil)
      this.end(new Error("the lease was not renewed in time"));
    return !this.#over.signal.aborted;
  }

  /**
   * Renews it until it is over. `check` is called after each renewal: when it resolves with a reason, the lease is given up,
   * because what it is for was lost.
   */
  keep(check: (signal: AbortSignal) => Promise<string | undefined>): void {
    this.#kept = Promise.all([this.#renew(check), this.#expire()]).then(() => undefined);
  }

  /** Says that it is over. Nothing is told to the engine. */
  end(reason: Error): void {
    if (!this.#over.signal.aborted) this.#over.abort(reason);
  }

  /** Gives it back to the engine, best effort, and ends. Resolves when nothing of it runs any more. */
  async release(reason: Error, signal: AbortSignal): Promise<void> {
    const ours = this.valid;
    this.end(reason);
    await this.#kept;
    if (!ours) return;
    await this.#options.engine.release(this.#options.holder, signal).catch((error: unknown) => {
      this.#options.onTrouble(error);
    });
  }

  async #renew(check: (signal: AbortSignal) => Promise<string | undefined>): Promise<void> {
    const { clock, engine, holder, onTrouble, times } = this.#options;
    const over = this.#over.signal;
    while (await slept(clock, times.renewMs, over)) {
      const asked = clock.now();
      try {
        if (!(await engine.renew(holder, times.ttlMs, over))) {
          this.end(new Error("another process has the lease"));
          return;
        }
        this.#validUntil = asked + times.ttlMs;
        const lost = await check(over);
        if (lost !== undefined) this.end(new Error(lost));
      } catch (error) {
        if (!over.aborted) onTrouble(error);
      }
    }
  }

  async #expire(): Promise<void> {
    const { clock } = this.#options;
    while (this.valid) await slept(clock, this.#validUntil - clock.now(), this.#over.signal);
  }
}

/** Sleeps. Resolves with false, and at once, when the signal aborts. */
export async function slept(clock: BusClock, ms: number, signal: AbortSignal): Promise<boolean> {
  try {
    await clock.sleep(ms, signal);
    return true;
  } catch (error) {
    if (signal.aborted) return false;
    throw error;
  }
}
