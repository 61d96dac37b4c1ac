import type { Steps } from "@signalbox/slices";

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

  /** Does one step; the result after the last one. */
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
