/** Milliseconds of work in one turn of the event loop, of all parts together. */
const turnMs = 5;
/** So much each part may work also in a turn that is full, or those that come first would keep it waiting for ever. */
const leastMs = 1.5;

/**
 * What the parts of a process that work in slices share: the present turn of the event loop. Each has a bound of its own; that they also look at the turn
 * keeps their slices from adding up in one turn.
 */
export class LoopTurn {
  readonly #now: () => number;
  #began: number | undefined;

  /** `now` gives milliseconds; where it stands still no turn is ever full. */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** Notes that somebody is at work in this turn. */
  begin(): number {
    if (this.#began === undefined) {
      this.#began = this.#now();
      setImmediate(() => (this.#began = undefined));
    }
    return this.#began;
  }

  /** Whether a part that worked for so many milliseconds in this turn should leave the rest of its work to later ones. */
  isFull(workedMs: number): boolean {
    return workedMs >= leastMs && this.#now() - this.begin() >= turnMs;
  }
}

/** The event loop of this thread. */
export const thisLoop = new LoopTurn(() => performance.now());
