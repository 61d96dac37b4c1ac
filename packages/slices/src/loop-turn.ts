/** Milliseconds of work in one turn of the event loop, of all parts together. */
const turnMs = 4;
/** So much each part may work also in a turn that is full, or those that come first would keep it waiting for ever. */
const leastMs = 1;

/**
 * What the parts of a process that work in slices share: the present turn of the event loop. Each has a bound of its own; that they also look at the turn
 * keeps their slices from adding up in one. A turn begins with the first work in it, where sockets and timers are served, and ends after the work that
 * waited for it, before timers are looked at again: whoever continues there shares the turn with whoever was called by a socket.
 */
export class LoopTurn {
  readonly #now: () => number;
  #began: number | undefined;
  #number = 0;
  #waiting: (() => void)[] = [];
  #hasEnd = false;

  /** `now` gives milliseconds; where it stands still no turn is ever full. */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** Notes that somebody works in this turn. The number that it gives is the same as before in one stretch of a turn: where it is served what comes, or at its end. */
  enter(): number {
    this.#began ??= this.#now();
    this.#seeToEnd();
    return this.#number;
  }

  /** Whether a part that worked for so many milliseconds in this turn should leave the rest of its work to later ones. */
  isFull(workedMs: number): boolean {
    return workedMs >= leastMs && this.#began !== undefined && this.#now() - this.#began >= turnMs;
  }

  /** Does the task at the end of this turn if that is to come, else of the next one. It must not throw. */
  later(task: () => void): void {
    this.#waiting.push(task);
    this.#seeToEnd();
  }

  #seeToEnd(): void {
    if (this.#hasEnd) return;
    this.#hasEnd = true;
    setImmediate(() => {
      this.#number++;
      for (const task of this.#waiting.splice(0)) task();
    });
    // Promises that the tasks settle are followed before this.
    setImmediate(() => {
      this.#hasEnd = false;
      this.#began = undefined;
      this.#number++;
      if (this.#waiting.length > 0) this.#seeToEnd();
    });
  }
}

/** The event loop of this thread. */
export const thisLoop = new LoopTurn(() => performance.now());
