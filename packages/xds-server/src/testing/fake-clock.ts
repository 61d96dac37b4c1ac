import type { XdsClock } from "../clock.ts";

/** A clock that moves only when told. */
export class FakeXdsClock implements XdsClock {
  #now = 1_000_000;
  readonly #tasks = new Map<number, { readonly at: number; readonly task: () => void }>();
  #next = 0;

  now(): number {
    return this.#now;
  }

  after(ms: number, task: () => void): () => void {
    const id = this.#next++;
    this.#tasks.set(id, { at: this.#now + ms, task });
    return () => {
      this.#tasks.delete(id);
    };
  }

  /** Timers that are set. */
  get timers(): number {
    return this.#tasks.size;
  }

  /** Moves on and runs what falls due, in order. */
  advance(ms: number): void {
    const end = this.#now + ms;
    for (;;) {
      const [next] = [...this.#tasks].filter(([, { at }]) => at <= end).sort(([, a], [, b]) => a.at - b.at);
      if (next === undefined) break;
      const [id, { at, task }] = next;
      this.#tasks.delete(id);
      this.#now = Math.max(this.#now, at);
      task();
    }
    this.#now = end;
  }
}
