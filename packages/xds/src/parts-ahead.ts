import { atOnce, type Steps } from "@signalbox/slices";

/** A part of views that is made empty and filled in steps. */
export interface FilledPart {
  /** Puts in all that belongs in it. What changes between two steps has to be told to the part, as when it is full. */
  filling(): Steps<undefined>;
}

interface Begun<P> {
  readonly part: P;
  readonly steps: Steps<undefined>;
}

/** So many parts of a kind are kept that no view has taken up: a client may leave before its view is there. */
const maximumAhead = 8;

/**
 * Parts of views that are made before a view asks for them. Whoever keeps them has to tell `all` of them what changes; an event then interrupts
 * no filling.
 */
export class PartsAhead<P extends FilledPart> {
  /** The oldest first, as in `#full`. */
  readonly #begun = new Map<string, Begun<P>>();
  readonly #full = new Map<string, P>();

  /** Those that are full, and those that are being filled. */
  get all(): readonly P[] {
    return [...this.#full.values(), ...[...this.#begun.values()].map(({ part }) => part)];
  }

  /** Those that are full. */
  get full(): Iterable<P> {
    return this.#full.values();
  }

  /** Is there a full one? */
  has(key: string): boolean {
    return this.#full.has(key);
  }

  /** Makes and fills one in steps, or goes on where somebody left off. When it is taken meanwhile, the steps end. */
  *making(key: string, make: () => P): Steps<undefined> {
    if (this.#full.has(key)) return undefined;
    const begun = this.#begun.get(key) ?? begin(make);
    this.#begun.set(key, begun);
    dropOldest(this.#begun);
    try {
      while (this.#begun.get(key) === begun) {
        if (begun.steps.next().done === true) {
          this.#begun.delete(key);
          this.#full.set(key, begun.part);
          dropOldest(this.#full);
        } else yield;
      }
    } finally {
      // Nobody wants it any more, or it cannot be made.
      if (this.#begun.get(key) === begun) this.#begun.delete(key);
    }
    return undefined;
  }

  /** Hands over a full one, whose keeper has to tell it what changes from now on. What is missing of it is made now. */
  take(key: string, make: () => P): P {
    const full = this.#full.get(key);
    if (full !== undefined) {
      this.#full.delete(key);
      return full;
    }
    const begun = this.#begun.get(key) ?? begin(make);
    this.#begun.delete(key);
    atOnce(begun.steps);
    return begun.part;
  }
}

function begin<P extends FilledPart>(make: () => P): Begun<P> {
  const part = make();
  return { part, steps: part.filling() };
}

function dropOldest(parts: Map<string, unknown>): void {
  for (const oldest of parts.keys()) {
    if (parts.size <= maximumAhead) return;
    parts.delete(oldest);
  }
}
