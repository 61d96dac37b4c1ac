/** A signal that can be let go of again. */
export interface TiedSignal {
  readonly signal: AbortSignal;
  /** Aborts the signal, if nothing did yet, and leaves no listener at those that it was tied to. */
  end(reason?: unknown): void;
}

/**
 * A signal that aborts as soon as one of the others does, with its reason. Not `AbortSignal.any`: in Node 20 each use of it
 * with a signal that lives long costs memory that never comes back.
 */
export function tiedTo(...others: readonly AbortSignal[]): TiedSignal {
  const controller = new AbortController();
  const untie: (() => void)[] = [];
  const end = (reason?: unknown): void => {
    for (const one of untie.splice(0)) one();
    controller.abort(reason);
  };
  for (const other of others) {
    const follow = (): void => end(other.reason);
    if (other.aborted) follow();
    else if (!controller.signal.aborted) {
      other.addEventListener("abort", follow, { once: true });
      untie.push(() => other.removeEventListener("abort", follow));
    }
  }
  return { signal: controller.signal, end };
}

/** Settles as `promise` does, but rejects with the signal's reason as soon as it aborts. Leaves no listener. */
export async function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  let abort: () => void = () => undefined;
  const aborted = new Promise<never>((_, reject) => {
    abort = () => reject(signal.reason as Error);
  });
  // Whoever waits no longer must not make the rejection of the other one unhandled.
  promise.catch(() => undefined);
  aborted.catch(() => undefined);
  if (signal.aborted) abort();
  else signal.addEventListener("abort", abort, { once: true });
  try {
    return await Promise.race([aborted, promise]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}
