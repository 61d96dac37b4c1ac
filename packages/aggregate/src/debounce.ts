import type { Clock } from "@signalbox/registry";
import type { DebounceOptions } from "./options.ts";
import { Latch } from "./waiting.ts";

/**
 * Says when changes are due. The first change after a quiet time is due at once; what follows closely is gathered until
 * nothing changed for `quietMs`, but for no longer than `maxMs` after the first one that waits.
 */
export class Debounce {
  readonly #clock: Clock;
  readonly #options: DebounceOptions;
  #storm: { readonly first: number; readonly lone: boolean } | undefined;
  #last = Number.NEGATIVE_INFINITY;
  #arrived = new Latch();

  constructor(clock: Clock, options: DebounceOptions) {
    this.#clock = clock;
    this.#options = options;
  }

  /** Notes a change. */
  touch(): void {
    const now = this.#clock.now();
    this.#storm ??= { first: now, lone: this.#calmAt(now) };
    this.#last = now;
    this.#arrived.open();
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
      await this.#clock.sleep(wait, signal);
    }
    signal.throwIfAborted();
    const first = this.#storm?.first ?? this.#clock.now();
    this.#storm = undefined;
    this.#arrived = new Latch();
    return first;
  }

  #wait(): number {
    const now = this.#clock.now();
    // After the clock was set back, an old time says nothing.
    if (this.#storm === undefined || this.#storm.lone || now < this.#last) return 0;
    return Math.min(this.#last + this.#options.quietMs, this.#storm.first + this.#options.maxMs) - now;
  }

  #calmAt(now: number): boolean {
    return now - this.#last >= this.#options.quietMs || now < this.#last;
  }
}
