/** Objects in one set. A larger one takes milliseconds to grow, and at 100,000 tens of them, all in one piece. */
const setSize = 8192;
const maxSets = 16;

/**
 * Remembers the last objects that were added, at least 100,000 of them and no others for ever, without keeping them alive. A memo: whether an object is still
 * known may change how long something takes, never its result.
 */
export class RecentObjects {
  /** Newest first. */
  #sets: WeakSet<object>[] = [new WeakSet()];
  #added = 0;

  has(object: object): boolean {
    return this.#sets.some((set) => set.has(object));
  }

  add(object: object): void {
    if (this.#added === setSize) {
      this.#sets = [new WeakSet(), ...this.#sets.slice(0, maxSets - 1)];
      this.#added = 0;
    }
    this.#sets[0]?.add(object);
    this.#added++;
  }
}
