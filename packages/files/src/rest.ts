/** Longest stretch of work without a rest, in milliseconds. */
const stretchMs = 8;

/** Parts long work, so that others get their turn in between. */
export class Rests {
  #since = performance.now();

  /** Whether it is time to rest. */
  get due(): boolean {
    return performance.now() - this.#since >= stretchMs;
  }

  /** Lets everything go first that waits for the event loop. */
  async take(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    this.#since = performance.now();
  }
}
