import { thisLoop, type LoopTurn } from "@signalbox/slices";

/** Milliseconds of work in one turn of the event loop, where nobody else works in it. */
export const turnMs = 4;

/**
 * Divides the event loop between streams. Work is done at once until one turn of the loop has had `ms` of it; what comes
 * then waits for the next turns, first come, first served. So a thousand clients that come together, or a change that
 * goes to all of them, keep timers and sockets waiting for about that long and not until the last one is served.
 */
export class Turns {
  readonly #now: () => number;
  readonly #ms: number;
  readonly #loop: Pick<LoopTurn, "begin" | "isFull">;
  #waiting: (() => void)[] = [];
  /** The first of `#waiting` that has not run. */
  #next = 0;
  #turnBegan: number | undefined;

  /** `now` gives milliseconds; with a clock that stands still nothing ever waits. */
  constructor(now: () => number, ms = turnMs, loop: Pick<LoopTurn, "begin" | "isFull"> = thisLoop) {
    this.#now = now;
    this.#ms = ms;
    this.#loop = loop;
  }

  /** Does the task now, or in a later turn if this one has had its share or others wait. It must not throw. */
  run(task: () => void): void {
    if (this.free()) task();
    else this.later(task);
  }

  /** Whether this turn has time left, and nobody waits for it. */
  free(): boolean {
    return this.waiting === 0 && !this.#isSpent();
  }

  /** Does the task in a later turn, after all that wait already. It must not throw. */
  later(task: () => void): void {
    this.#begin();
    this.#waiting.push(task);
  }

  /** Tasks that wait. */
  get waiting(): number {
    return this.#waiting.length - this.#next;
  }

  /** Whether the turn of the loop is full for a task that took so many milliseconds of it. */
  isFull(workedMs: number): boolean {
    return this.#loop.isFull(workedMs);
  }

  #isSpent(): boolean {
    const worked = this.#now() - this.#begin();
    return worked >= this.#ms || this.#loop.isFull(worked);
  }

  #begin(): number {
    if (this.#turnBegan === undefined) {
      this.#turnBegan = this.#now();
      this.#loop.begin();
      setImmediate(() => this.#turn());
    }
    return this.#turnBegan;
  }

  #turn(): void {
    this.#turnBegan = undefined;
    while (this.waiting > 0 && !this.#isSpent()) {
      const task = this.#waiting[this.#next++];
      task?.();
    }
    // What has run is let go of, also while the queue never gets empty.
    if (this.waiting > 0 && 2 * this.#next < this.#waiting.length) return;
    this.#waiting = this.#waiting.slice(this.#next);
    this.#next = 0;
  }
}
