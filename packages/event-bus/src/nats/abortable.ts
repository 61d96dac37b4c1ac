/** Settles as `promise` does, or rejects with the reason of the signal that aborts first. What is left behind is not heard any more. */
export async function abortable<T>(promise: Promise<T>, ...signals: readonly AbortSignal[]): Promise<T> {
  promise.catch(() => undefined);
  const ends: (() => void)[] = [];
  const aborted = new Promise<never>((_, reject) => {
    for (const signal of signals) {
      const end = (): void => {
        reject(signal.reason as Error);
      };
      if (signal.aborted) end();
      signal.addEventListener("abort", end, { once: true });
      ends.push(() => signal.removeEventListener("abort", end));
    }
  });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    for (const end of ends) end();
  }
}
