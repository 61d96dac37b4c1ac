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

  /** Rejects with the signal's reason when it aborts first. */
  async wait(signal: AbortSignal): Promise<T> {
    return Promise.race([this.#promise, aborted(signal)]);
  }
}

/** Rejects with the signal's reason as soon as it aborts. */
async function aborted(signal: AbortSignal): Promise<never> {
  await untilAborted(signal);
  throw signal.reason;
}

/** Resolves as soon as the signal aborts. */
export function untilAborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}
