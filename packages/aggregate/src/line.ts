import type { Clock } from "@signalbox/registry";
import { Slices, type Steps } from "@signalbox/slices";

/** One piece of work and what became of it. */
class Job<T> {
  readonly #steps: Steps<T>;
  #outcome: { readonly value: T } | { readonly error: unknown } | undefined;
  #settled: (() => void) | undefined;

  constructor(steps: Steps<T>) {
    this.#steps = steps;
  }

  /** Does one step. Returns whether the work is over. */
  step(): boolean {
    if (this.#outcome !== undefined) return true;
    try {
      const next = this.#steps.next();
      if (next.done !== true) return false;
      this.#outcome = { value: next.value };
    } catch (error) {
      this.#outcome = { error };
    }
    this.#settled?.();
    return true;
  }

  /** What it gave, where it is over, and else a promise of that. Throws what it threw. */
  result(): T | Promise<T> {
    if (this.#outcome === undefined)
      return new Promise<void>((resolve) => (this.#settled = resolve)).then(() => this.result());
    if ("error" in this.#outcome) throw this.#outcome.error;
    return this.#outcome.value;
  }
}

/**
 * Long work on shared state, one piece after another in the order in which it came, in slices between which the event loop turns. No piece sees what
 * another one has only half done. Who looks at the state in between, without standing in line, sees what the piece says about that.
 */
export class Line {
  readonly #slices: Slices;
  readonly #waiting: Pick<Job<unknown>, "step">[] = [];
  #current: Pick<Job<unknown>, "step"> | undefined;
  /** Whether a step is being done at this moment, so that whoever asks is part of it. */
  #inStep = false;

  /** With a clock that stands still everything is done at once. */
  constructor(clock: Pick<Clock, "now">) {
    this.#slices = new Slices(clock);
  }

  /** Whether nobody is at work. */
  get isIdle(): boolean {
    return this.#current === undefined;
  }

  /** The result where it is there at once, because the line was empty and the work fits in one slice; else a promise of it. */
  run<T>(steps: Steps<T>): T | Promise<T> {
    const job = new Job(steps);
    this.#waiting.push(job);
    if (this.#current === undefined) {
      this.#current = this.#waiting.shift();
      // No work makes this reject: what it throws is its own result.
      void this.#slices.run(this.#all());
    }
    return job.result();
  }

  /** Does now, in one piece, all that is under way and waits. For those who cannot wait; within a step it does nothing. */
  finish(): void {
    if (this.#inStep) return;
    while (this.#current !== undefined) this.#step();
  }

  *#all(): Steps<undefined> {
    while (this.#current !== undefined) {
      this.#step();
      if (!this.isIdle) yield;
    }
    return undefined;
  }

  #step(): void {
    this.#inStep = true;
    try {
      if (this.#current?.step() === true) this.#current = this.#waiting.shift();
    } finally {
      this.#inStep = false;
    }
  }
}

/** Work that has no break. */
// eslint-disable-next-line require-yield -- there is none
export function* inOneStep<T>(work: () => T): Steps<T> {
  return work();
}
