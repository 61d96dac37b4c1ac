type Act = () => void;

interface Tie {
  /** What to call. Nearly always it is one, and a set for each would be much of what a request that waits takes. */
  acts: Act | Set<Act>;
  readonly listener: () => void;
}

/**
 * Ties many calls to one signal with one listener. One signal commonly ends all the watches of a source, and Node.js
 * warns of a leak where a signal has more than ten listeners.
 */
export class AbortTies {
  readonly #ties = new WeakMap<AbortSignal, Tie>();

  /** Calls `act` when `signal` aborts, at once if it has; the result unties them. */
  tie(signal: AbortSignal, act: Act): () => void {
    if (signal.aborted) {
      act();
      return () => {};
    }
    const known = this.#ties.get(signal);
    const tie = known ?? this.#open(signal, act);
    if (known !== undefined) {
      if (typeof known.acts === "function") known.acts = new Set([known.acts]);
      known.acts.add(act);
    }
    return () => {
      if (typeof tie.acts !== "function") tie.acts.delete(act);
      const isLeft = typeof tie.acts === "function" ? tie.acts !== act : tie.acts.size > 0;
      if (isLeft || this.#ties.get(signal) !== tie) return;
      this.#ties.delete(signal);
      signal.removeEventListener("abort", tie.listener);
    };
  }

  #open(signal: AbortSignal, act: Act): Tie {
    const tie: Tie = {
      acts: act,
      listener: () => {
        this.#ties.delete(signal);
        for (const one of typeof tie.acts === "function" ? [tie.acts] : [...tie.acts]) one();
      },
    };
    this.#ties.set(signal, tie);
    signal.addEventListener("abort", tie.listener, { once: true });
    return tie;
  }
}
