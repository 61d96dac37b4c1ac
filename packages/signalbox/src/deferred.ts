/** A promise that somebody else settles, and that can be waited for with a signal. A rejection nobody waits for is no fault. */
export class Deferred<T> {
  readonly #promise: Promise<T>;
  #resolve: (value: T) => void = () => {};
  #reject: (error: unknown) => void = () => {};

  constructor() {
    this.#promise = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.#promise.catch(() => undefined);
  }

  resolve(value: T): void {
    this.#resolve(value);
  }

  reject(error: unknown): void {
    this.#reject(error);
  }

  /** Rejects with the signal's reason when it aborts first. Nothing of the call stays at the signal. */
  async wait(signal: AbortSignal): Promise<T> {
    signal.throwIfAborted();
    let abort = (): void => {};
    const aborted = new Promise<never>((_, reject) => {
      abort = () => reject(signal.reason as Error);
      signal.addEventListener("abort", abort, { once: true });
    });
    try {
      return await Promise.race([this.#promise, aborted]);
    } finally {
      signal.removeEventListener("abort", abort);
    }
  }
}

/** Resolves as soon as the signal aborts. */
export function untilAborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}
