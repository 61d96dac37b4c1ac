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
  /** Told of each answer. */
  readonly onAnswer: () => void;
}

/** How long giving back a lease may take, in milliseconds. If it takes longer, the lease ends by itself. */
const farewellMs = 1000;

/**
 * A lease of the engine, and our own opinion about it: it is over when the engine says so, or when our own clock says that
 * it was not renewed in time, whatever the engine would say. Who sleeps through its end finds it over.
 */
export class Lease {
  readonly #options: LeaseOptions;
  readonly #over = new AbortController();
  #validUntil: number;
  #kept: Promise<void> = Promise.resolve();
  #released: Promise<void> = Promise.resolve();

  private constructor(options: LeaseOptions, validUntil: number) {
    this.#options = options;
    this.#validUntil = validUntil;
  }

  /**
   * Waits until the engine gives the lease. Rejects with the signal's reason when it aborts; what the engine may have given
   * meanwhile was given back then.
   */
  static async acquire(options: LeaseOptions, signal: AbortSignal): Promise<Lease> {
    const { clock, engine, holder, onAnswer, onTrouble, times } = options;
    for (;;) {
      signal.throwIfAborted();
      const asked = clock.now();
      try {
        const given = await engine.acquire(holder, times.ttlMs, signal);
        onAnswer();
        const until = asked + times.ttlMs;
        // An answer that took too long is none.
        if (given && clock.now() < until && !isAborted(signal)) return new Lease(options, until);
      } catch (error) {
        if (!isAborted(signal)) onTrouble(error);
      }
      if (isAborted(signal)) await giveBack(options);
      else await clock.sleep(times.retryMs, signal);
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

  /** Throws why it is over, if it is: also right after this process slept, when no timer had its turn yet. */
  assert(): void {
    if (!this.valid) this.#over.signal.throwIfAborted();
  }

  /**
   * Renews it until it is over. `check` is called after each renewal: when it resolves with a reason, the lease is given up,
   * because what it is for was lost.
   */
  keep(check: (signal: AbortSignal) => Promise<string | undefined>): void {
    this.#kept = Promise.all([this.#renew(check), this.#expire()]).then(() => undefined);
  }

  /**
   * Ends it, and gives it back to the engine, best effort: also where only we think that it is over, so that nobody has to
   * wait for its end.
   */
  end(reason: Error): void {
    if (this.#over.signal.aborted) return;
    this.#released = this.#kept.then(() => giveBack(this.#options));
    this.#over.abort(reason);
  }

  /** Ends it. Resolves when it was given back and nothing of it runs any more. */
  async release(reason: Error): Promise<void> {
    this.end(reason);
    await this.#released;
  }

  async #renew(check: (signal: AbortSignal) => Promise<string | undefined>): Promise<void> {
    const { clock, engine, holder, onAnswer, onTrouble, times } = this.#options;
    const over = this.#over.signal;
    while (await slept(clock, times.renewMs, over)) {
      const asked = clock.now();
      try {
        const ours = await engine.renew(holder, times.ttlMs, over);
        onAnswer();
        if (!ours) this.end(new Error("the engine gave the lease to another process, or lost it"));
        // Who slept through its end must not go on because of an answer that came meanwhile.
        if (!this.valid) return;
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

async function giveBack({ engine, holder, onTrouble }: LeaseOptions): Promise<void> {
  try {
    await engine.release(holder, AbortSignal.timeout(farewellMs));
  } catch (error) {
    onTrouble(error);
  }
}

// A property read that the compiler does not narrow over an await.
function isAborted(signal: AbortSignal): boolean {
  return signal.aborted;
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
