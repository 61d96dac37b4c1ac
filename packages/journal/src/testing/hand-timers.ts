/** Timers that fire when a test says so. */
export class HandTimers {
  readonly #open = new Map<() => void, number>();

  readonly after = (ms: number, run: () => void): (() => void) => {
    const timer = () => run();
    this.#open.set(timer, ms);
    return () => this.#open.delete(timer);
  };

  /** The lengths of the timers that are set. */
  get set(): readonly number[] {
    return [...this.#open.values()];
  }

  /** Fires all that are set now. */
  fire(): void {
    const due = [...this.#open.keys()];
    this.#open.clear();
    for (const run of due) run();
  }
}
