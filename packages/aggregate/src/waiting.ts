/** A door that opens once and lets everybody through from then on. */
export class Latch {
  readonly #waiting = new Set<() => void>();
  #open = false;

  get isOpen(): boolean {
    return this.#open;
  }

  open(): void {
    this.#open = true;
    for (const wake of this.#waiting) wake();
  }

  /** Resolves once open; rejects with the signal's reason when it aborts first. Leaves no listener. */
  async passed(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.#open) return;
    await new Promise<void>((resolve, reject) => {
      const end = () => {
        this.#waiting.delete(end);
        signal.removeEventListener("abort", end);
        if (this.#open) resolve();
        else reject(signal.reason as Error);
      };
      this.#waiting.add(end);
      signal.addEventListener("abort", end, { once: true });
    });
  }
}

/** Aborts `controller` when `signal` aborts; returns the function that unties them. */
export function abortWith(controller: AbortController, signal: AbortSignal): () => void {
  const abort = () => controller.abort(signal.reason);
  if (signal.aborted) abort();
  else signal.addEventListener("abort", abort, { once: true });
  return () => signal.removeEventListener("abort", abort);
}

/** Waits for a promise; rejects with the signal's reason when it aborts first. Leaves no listener. */
export async function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  let untie = (): void => undefined;
  const aborted = new Promise<never>((_resolve, reject) => {
    const abort = () => reject(signal.reason as Error);
    signal.addEventListener("abort", abort, { once: true });
    untie = () => signal.removeEventListener("abort", abort);
  });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    untie();
  }
}

/** Resolves once a signal aborts. */
export async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}

/** Reads the flag anew, where the compiler would remember it over an await. */
export function isAborted(signal: AbortSignal): boolean {
  return signal.aborted;
}

/** Whatever was thrown, as an error. */
export function toError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown), { cause: thrown });
}
