import type { Clock } from "./clock.ts";

/** Sleeps; comes back early and without an error when the signal aborts. */
export async function pause(ms: number, clock: Clock, signal: AbortSignal): Promise<void> {
  if (signal.aborted || ms <= 0) return;
  try {
    await clock.sleep(ms, signal);
  } catch (error) {
    if (!isAborted(signal)) throw error;
  }
}

/** Whether a signal has aborted by now. The compiler takes what it once saw of `signal.aborted` to last over every `await`. */
export function isAborted(signal: AbortSignal): boolean {
  return signal.aborted;
}
