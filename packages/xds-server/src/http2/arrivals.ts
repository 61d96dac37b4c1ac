import type { Turns } from "../turns.ts";

/** Bounds of those who come together. Times are milliseconds. */
export interface ArrivalLimits {
  /** So many may be on their way at once. */
  readonly max: number;
  /** So long one is waited for that was let in. */
  readonly patienceMs: number;
  /** Nobody waits longer to be let in, however many come and say nothing. */
  readonly longestMs: number;
}

/** Begins an arrival. `arrived` must be called when it is over, and may be called more than once. */
export type Arrive = (arrived: () => void) => void;

interface Waiting {
  readonly since: number;
  readonly arrive: Arrive;
}

/**
 * Lets in connections that come together a few at a time. Node reads all sockets that have something to say in one turn of the event loop, and
 * the first words of a connection cost most: a TLS handshake up to a millisecond, the headers of a stream a twentieth. So only a few are
 * let on at once to where they say them: with a thousand TLS clients that come together a turn takes 20 ms, and took 100 to 300.
 */
export class Arrivals {
  readonly #turns: Turns;
  readonly #limits: ArrivalLimits;
  #coming = 0;
  #waiting: (Waiting | undefined)[] = [];
  /** The first of `#waiting` that has not begun. */
  #next = 0;
  #isLettingIn = false;

  constructor(turns: Turns, limits: ArrivalLimits) {
    this.#turns = turns;
    this.#limits = limits;
  }

  /** Begins now, or when there is room and all that came before have begun. It must not throw. */
  take(arrive: Arrive): void {
    this.#waiting.push({ since: performance.now(), arrive });
    this.#letIn();
  }

  #letIn(): void {
    // Who begins may have arrived at once, which makes room for the next one here, not within.
    if (this.#isLettingIn) return;
    this.#isLettingIn = true;
    for (let one = this.#following(); one !== undefined; one = this.#following()) {
      const { arrive } = one;
      this.#coming++;
      this.#turns.run(() => this.#begin(arrive));
    }
    this.#isLettingIn = false;
  }

  /** Takes the next one out, where it may begin. */
  #following(): Waiting | undefined {
    const one = this.#waiting[this.#next];
    if (one === undefined) return undefined;
    const { longestMs, max } = this.#limits;
    if (this.#coming >= max && performance.now() - one.since < longestMs) return undefined;
    this.#waiting[this.#next++] = undefined;
    if (2 * this.#next >= this.#waiting.length) {
      this.#waiting = this.#waiting.slice(this.#next);
      this.#next = 0;
    }
    return one;
  }

  #begin(arrive: Arrive): void {
    let over = false;
    const arrived = (): void => {
      if (over) return;
      over = true;
      clearTimeout(patience);
      this.#coming--;
      this.#letIn();
    };
    const patience = setTimeout(arrived, this.#limits.patienceMs);
    arrive(arrived);
  }
}
