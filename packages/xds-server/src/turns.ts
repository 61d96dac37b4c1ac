import { thisLoop, type LoopTurn, type Steps } from "@signalbox/slices";

/** Milliseconds of work in one turn of the event loop, where nobody else works in it. */
export const turnMs = 3;

/**
 * Divides the event loop between streams. Work is done at once until one turn of the loop has had `ms` of it; what comes
 * then waits for the next turns, first come, first served. So a thousand clients that come together, or a change that
 * goes to all of them, keep timers and sockets waiting for about that long and not until the last one is served.
 */
export class Turns {
  readonly #now: () => number;
  readonly #ms: number;
  readonly #loop: LoopTurn;
  #waiting: (() => void)[] = [];
  /** The first of `#waiting` that has not run. */
  #next = 0;
  /** The turn of the loop in which there was work last, and when it came. */
  #turn: number | undefined;
  #turnBegan = 0;
  #hasTurn = false;

  /** `now` gives milliseconds; with a clock that stands still nothing ever waits. */
  constructor(now: () => number, ms = turnMs, loop = thisLoop) {
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
    return this.waiting === 0 && !this.isSpent();
  }

  /** Whether this turn has no time left. */
  isSpent(): boolean {
    const worked = this.#now() - this.#enter();
    return worked >= this.#ms || this.#loop.isFull(worked);
  }

  /** Does the task in a later turn, after all that wait already. It must not throw. */
  later(task: () => void): void {
    this.#waiting.push(task);
    this.#seeToTurn();
  }

  /**
   * Does the task in the next turn, before all that wait: for who goes on with what it has begun. So large work is finished
   * before others begin the same, and they find it done. It must not throw.
   */
  goOn(task: () => void): void {
    if (this.#next > 0) this.#waiting[--this.#next] = task;
    else this.#waiting.unshift(task);
    this.#seeToTurn();
  }

  /** Does steps until this turn has had its share, and one at least. Returns whether none is left. They must not throw. */
  slice(steps: Steps<undefined>): boolean {
    this.#enter();
    do {
      if (steps.next().done === true) return true;
    } while (!this.isSpent());
    return false;
  }

  /** Does steps now and in the next turns, and nothing of what waits before the last. They must not throw. */
  finish(steps: Steps<undefined>): void {
    if (!this.slice(steps)) this.goOn(() => this.finish(steps));
  }

  /** Tasks that wait. */
  get waiting(): number {
    return this.#waiting.length - this.#next;
  }

  /** Whether the turn of the loop is full for a task that took so many milliseconds of it. */
  isFull(workedMs: number): boolean {
    return this.#loop.isFull(workedMs);
  }

  /** When the work in this turn began. */
  #enter(): number {
    const turn = this.#loop.enter();
    if (turn !== this.#turn) this.#turnBegan = this.#now();
    this.#turn = turn;
    return this.#turnBegan;
  }

  #seeToTurn(): void {
    if (this.#hasTurn) return;
    this.#hasTurn = true;
    this.#loop.later(() => this.#do());
  }

  #do(): void {
    if (this.waiting === 0 || this.isSpent()) {
      this.#leave();
      return;
    }
    const task = this.#waiting[this.#next++];
    try {
      task?.();
    } finally {
      // What it leaves to the next tick is of this turn, too: a stream that is resumed reads there what came meanwhile.
      process.nextTick(() => this.#do());
    }
  }

  #leave(): void {
    this.#hasTurn = false;
    if (this.waiting > 0) this.#seeToTurn();
    // What has run is let go of, also while the queue never gets empty.
    if (this.waiting > 0 && 2 * this.#next < this.#waiting.length) return;
    this.#waiting = this.#waiting.slice(this.#next);
    this.#next = 0;
  }
}
