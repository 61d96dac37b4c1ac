import type { Clock } from "@signalbox/registry";
import type { DebounceOptions } from "./options.ts";
import { abortWith, Latch } from "./waiting.ts";

/**
 * What changed: `endpoints` for changes that leave services as they were and cost clients little, `any` for all others, which may make
 * listeners, routes and clusters anew.
 */
export type ChangeKind = "any" | "endpoints";

/** How many times as long as publishing took the next storm is gathered at least: publishing takes a fifth of a core at most. */
const restFactor = 4;

interface Storm {
  readonly first: number;
  /** When the first change of endpoints came. */
  endpoints: number | undefined;
  readonly lone: boolean;
}

/**
 * Says when changes are due. The first change after a quiet time is due at once; what follows closely is gathered until
 * nothing changed for `quietMs`, but for no longer than `maxMs` after the first one that waits, or `endpointsMaxMs` after the first change
 * of endpoints that waits. All that waits is due together, so a change of endpoints takes along what came before it. Where publishing took
 * long, what is gathered next waits for four times as long, up to `maxMs`.
 */
export class Debounce {
  readonly #clock: Clock;
  readonly #options: DebounceOptions;
  #storm: Storm | undefined;
  #last = Number.NEGATIVE_INFINITY;
  #arrived = new Latch();
  /** What publishing took since the last release, and when it ended. */
  #spent = { ms: 0, end: Number.NEGATIVE_INFINITY };
  #wake: () => void = () => {};

  constructor(clock: Clock, options: DebounceOptions) {
    this.#clock = clock;
    this.#options = options;
  }

  /** Notes a change. */
  touch(kind: ChangeKind = "any"): void {
    const now = this.#clock.now();
    this.#storm ??= { first: now, endpoints: undefined, lone: this.#calmAt(now) };
    this.#last = now;
    if (kind === "endpoints" && this.#storm.endpoints === undefined) {
      this.#storm.endpoints = now;
      // It may be due before those that are being waited for.
      this.#wake();
    }
    this.#arrived.open();
  }

  /** Notes that publishing what was due last took so long, in milliseconds, until now. Several times add up. */
  spent(ms: number): void {
    // A clock that was set back gives no negative times.
    this.#spent = { ms: this.#spent.ms + Math.max(0, ms), end: this.#clock.now() };
  }

  /**
   * Resolves when the changes noted so far are due, with the time of the first, and forgets them. Rejects with the signal's reason when it
   * aborts.
   */
  async due(signal: AbortSignal): Promise<number> {
    await this.#arrived.passed(signal);
    for (;;) {
      const wait = this.#wait();
      if (wait <= 0) break;
      await this.#sleep(wait, signal);
    }
    signal.throwIfAborted();
    const first = this.#storm?.first ?? this.#clock.now();
    this.#storm = undefined;
    this.#spent = { ...this.#spent, ms: 0 };
    this.#arrived = new Latch();
    return first;
  }

  #wait(): number {
    const now = this.#clock.now();
    // After the clock was set back, an old time says nothing.
    if (this.#storm === undefined || this.#storm.lone || now < this.#last) return 0;
    const { endpoints = Number.POSITIVE_INFINITY, first } = this.#storm;
    const { endpointsMaxMs, maxMs, quietMs } = this.#options;
    const gathered = Math.min(this.#last + quietMs, endpoints + endpointsMaxMs);
    // Likewise a publication that ended later than now.
    const rested = this.#spent.end > now ? now : this.#spent.end + restFactor * this.#spent.ms;
    return Math.min(Math.max(gathered, rested), first + maxMs) - now;
  }

  /** Sleeps, unless a change comes that may be due earlier. */
  async #sleep(ms: number, signal: AbortSignal): Promise<void> {
    const end = new AbortController();
    const untie = abortWith(end, signal);
    this.#wake = () => end.abort();
    try {
      await this.#clock.sleep(ms, end.signal);
    } catch (error) {
      if (signal.aborted || !end.signal.aborted) throw error;
    } finally {
      this.#wake = () => {};
      untie();
    }
  }

  #calmAt(now: number): boolean {
    // While something is published nobody is heard, so that time says nothing about quiet.
    const deaf = this.#spent.end > this.#last ? this.#spent.ms : 0;
    return now - this.#last - deaf >= this.#options.quietMs || now < this.#last;
  }
}
