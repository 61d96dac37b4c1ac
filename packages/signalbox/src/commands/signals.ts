/** Aborts `signal` at the first SIGTERM or SIGINT; the second one ends the process at once, for people who cannot wait. */
export function untilStopped(): { readonly signal: AbortSignal; [Symbol.dispose](): void } {
  const stop = new AbortController();
  const onSignal = (name: NodeJS.Signals): void => {
    if (stop.signal.aborted) process.exit(name === "SIGINT" ? 130 : 143);
    stop.abort();
  };
  process.on("SIGTERM", onSignal);
  process.on("SIGINT", onSignal);
  return {
    signal: stop.signal,
    [Symbol.dispose]() {
      process.off("SIGTERM", onSignal);
      process.off("SIGINT", onSignal);
    },
  };
}
