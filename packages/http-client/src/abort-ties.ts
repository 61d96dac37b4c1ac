interface Tie {
  readonly acts: Set<() => void>;
  readonly listener: () => void;
}

/**
 * Ties many calls to one signal with one listener. One signal commonly ends all the watches of a source, and Node.js
 * warns of a leak where a signal has more than ten listeners.
 */
export class AbortTies {
  readonly #ties = new WeakMap<AbortSignal, Tie>();

  /** Calls `act` when `signal` aborts, at once if it has; the result unties them. */
  tie(signal: AbortSignal, act: () => void): () => void {
    if (signal.aborted) {
      act();
      return () => {};
    }
    const tie = this.#ties.get(signal) ?? this.#open(signal);
    tie.acts.add(act);
    return () => {
      tie.acts.delete(act);
      if (tie.acts.size > 0 || this.#ties.get(signal) !== tie) return;
      this.#ties.delete(signal);
      signal.removeEventListener("abort", tie.listener);
    };
  }

  #open(signal: AbortSignal): Tie {
    const acts = new Set<() => void>();
    const listener = (): void => {
      this.#ties.delete(signal);
      for (const act of [...acts]) act();
    };
    const tie = { acts, listener };
    this.#ties.set(signal, tie);
    signal.addEventListener("abort", listener, { once: true });
    return tie;
  }
}
