import { setImmediate as nextTurn } from "node:timers/promises";

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
const stepSize = 128;

/** Does something with each item, and gives way after each hundred or so: for loops over many of which each is little. */
export function* each<T>(items: Iterable<T>, task: (item: T) => void): Steps<undefined> {
  let done = 0;
  for (const item of items) {
    task(item);
    done++;
    if (done % stepSize === 0) yield;
  }
  return undefined;
}

/** Milliseconds of work in one turn of the event loop. */
const sliceMs = 8;

/** Does work in slices, so that sockets and timers do not wait for the end of it. All its work in one turn of the event loop is one slice. */
export class Slices {
  readonly #now: () => number;
  #turnBegan: number | undefined;

  /** `now` gives milliseconds; with a clock that stands still everything is done in one slice. */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** The result where the work fits in what is left of the slice, and a promise of it where it goes on in later turns of the event loop. */
  run<T>(steps: Steps<T>): T | Promise<T> {
    const first = this.#slice(steps);
    return first.done === true ? first.value : this.#rest(steps);
  }

  async #rest<T>(steps: Steps<T>): Promise<T> {
    for (;;) {
      await nextTurn();
      const next = this.#slice(steps);
      if (next.done === true) return next.value;
    }
  }

  #slice<T>(steps: Steps<T>): IteratorResult<undefined, T> {
    const began = this.#beginning();
    for (;;) {
      const next = steps.next();
      const spent = this.#now() - began;
      // A clock that was set back says nothing about the slice: it ends.
      if (next.done === true || spent >= sliceMs || spent < 0) return next;
    }
  }

  /** When the first work of this turn began. */
  #beginning(): number {
    if (this.#turnBegan === undefined) {
      this.#turnBegan = this.#now();
      setImmediate(() => (this.#turnBegan = undefined));
    }
    return this.#turnBegan;
  }
}
