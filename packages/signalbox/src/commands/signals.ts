/** A signal that aborts when the process is asked to end. */
export interface Stopped {
  readonly signal: AbortSignal;
  /** Aborts it from inside. */
  stop(): void;
  /** Takes the handlers away. */
  [Symbol.dispose](): void;
}

/** Aborts at the first SIGTERM or SIGINT; the second one ends the process at once, for people who cannot wait. */
export function untilStopped(): Stopped {
  const stop = new AbortController();
  let asked = false;
  const onSignal = (name: NodeJS.Signals): void => {
    if (asked) process.exit(name === "SIGINT" ? 130 : 143);
    asked = true;
    stop.abort();
  };
  process.on("SIGTERM", onSignal);
  process.on("SIGINT", onSignal);
  return {
    signal: stop.signal,
    stop: () => stop.abort(),
    [Symbol.dispose]() {
      process.off("SIGTERM", onSignal);
      process.off("SIGINT", onSignal);
    },
  };
}

/** Calls `act` for each SIGHUP until it is disposed of. Without a handler the signal would end the process, also in the middle of draining. */
export function onHangup(act: () => unknown): Disposable {
  const handler = (): void => void act();
  process.on("SIGHUP", handler);
  return {
    [Symbol.dispose]() {
      process.off("SIGHUP", handler);
    },
  };
}
