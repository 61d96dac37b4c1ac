import { thisLoop, type LoopTurn } from "./loop-turn.ts";

/** Work in small steps, between which anything else may happen. */
export type Steps<T> = Generator<undefined, T, undefined>;

/** Does all steps now, and gives their result. */
export function atOnce<T>(steps: Steps<T>): T {
  for (;;) {
    const next = steps.next();
    if (next.done === true) return next.value;
  }
}

/** So many small things are done between two yields. */
const stepSize = 64;

/** Does something with each item, and gives way after every few of them: for loops over many of which each is little, also where the code is new to V8 and slow. */
export function* each<T>(items: Iterable<T>, task: (item: T) => void): Steps<undefined> {
  let done = 0;
  for (const item of items) {
    task(item);
    done++;
    if (done % stepSize === 0) yield;
  }
  return undefined;
}

/** Milliseconds of work in one turn of the event loop, where nobody else works in it. */
const sliceMs = 4;

/** Gives milliseconds. */
interface Clock {
  now(): number;
}

/**
 * Does work in slices, so that sockets and timers do not wait for the end of it. All its work in one turn of the event loop is one slice, and smaller where
 * others work in that turn.
 */
export class Slices {
  readonly #clock: Clock;
  readonly #loop: LoopTurn;
  /** The turn of the event loop that was worked in last. */
  #turn: number | undefined;
  /** Milliseconds of work in it. */
  #inTurn = 0;

  /** With a clock that stands still everything is done in one slice. */
  constructor(clock: Clock, loop = thisLoop) {
    this.#clock = clock;
    this.#loop = loop;
  }

  /** The result where the work fits in what is left of the slice, and a promise of it where it goes on in later turns of the event loop. */
  run<T>(steps: Steps<T>): T | Promise<T> {
    const first = this.#slice(steps);
    return first.done === true ? first.value : this.#rest(steps);
  }

  async #rest<T>(steps: Steps<T>): Promise<T> {
    for (;;) {
      await new Promise<void>((resolve) => this.#loop.later(resolve));
      const next = this.#slice(steps);
      if (next.done === true) return next.value;
    }
  }

  #slice<T>(steps: Steps<T>): IteratorResult<undefined, T> {
    const turn = this.#loop.enter();
    const before = turn === this.#turn ? this.#inTurn : 0;
    this.#turn = turn;
    const began = this.#clock.now();
    for (;;) {
      const next = steps.next();
      const spent = this.#clock.now() - began;
      // A clock that was set back says nothing about the slice: it ends.
      const isOver = spent < 0 || before + spent >= sliceMs || this.#loop.isFull(before + spent);
      if (next.done !== true && !isOver) continue;
      this.#inTurn = before + Math.max(0, spent);
      return next;
    }
  }
}
