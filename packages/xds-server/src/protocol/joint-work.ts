import type { Steps } from "@signalbox/slices";

/** Does all the steps at once. */
export function finish<T>(steps: Steps<T>): T {
  for (;;) {
    const next = steps.next();
    if (next.done === true) return next.value;
  }
}

/** So many small things are done between two yields. */
const stepSize = 128;

/** Passes the items on, with a yield behind each hundred or so: for loops over many. */
export function* each<T>(items: Iterable<T>, task: (item: T) => void): Steps<void> {
  let done = 0;
  for (const item of items) {
    task(item);
    done++;
    if (done % stepSize === 0) yield;
  }
}

/** Work in steps whose result many ask for. Whoever asks does the next step, wherever others left it; it is done once. */
export class JointWork<T> {
  readonly #steps: Steps<T>;
  #result: (() => T) | undefined;

  constructor(steps: Steps<T>) {
    this.#steps = steps;
  }

  /** Does what is left of the work. Throws what a step threw, to everyone. */
  *take(): Steps<T> {
    for (;;) {
      const result = this.#result ?? this.#next();
      if (result !== undefined) return result();
      yield;
    }
  }

  #next(): (() => T) | undefined {
    try {
      const { done, value } = this.#steps.next();
      if (done === true) this.#result = () => value;
    } catch (error) {
      this.#result = () => {
        throw error;
      };
    }
    return this.#result;
  }
}
