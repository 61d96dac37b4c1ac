import type { Turns } from "../turns.ts";

/** How many may be on their way at once, and for how long one is waited for. */
export interface ArrivalLimits {
  readonly max: number;
  readonly patienceMs: number;
}

/** Begins an arrival. `arrived` must be called when it is over, and may be called more than once. */
export type Arrive = (arrived: () => void) => void;

/**
 * Lets in connections that come together a few at a time. Node reads all sockets that have something to say in one turn of the event loop, and
 * the first words of a connection cost most: a TLS handshake up to a millisecond, the headers of a stream a twentieth. So only a few are
 * let on at once to where they say them: with a thousand TLS clients that come together a turn takes 20 ms, and took 100 to 300. Nobody
 * waits long for those that say nothing, or are far away.
 */
export class Arrivals {
  readonly #turns: Turns;
  readonly #limits: ArrivalLimits;
  #coming = 0;
  #waiting: Arrive[] = [];
  /** The first of `#waiting` that has not begun. */
  #next = 0;

  constructor(turns: Turns, limits: ArrivalLimits) {
    this.#turns = turns;
    this.#limits = limits;
  }

  /** Begins now, or when there is room and all that came before have begun. It must not throw. */
  take(arrive: Arrive): void {
    this.#waiting.push(arrive);
    this.#letIn();
  }

  #letIn(): void {
    while (this.#coming < this.#limits.max) {
      const arrive = this.#waiting[this.#next];
      if (arrive === undefined) {
        this.#waiting = [];
        this.#next = 0;
        return;
      }
      this.#next++;
      this.#coming++;
      this.#turns.run(() => this.#begin(arrive));
    }
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
