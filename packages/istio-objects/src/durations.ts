/** Checks a duration that a proxy gets in milliseconds: at least one, and whole. Gives what is wrong, or undefined. */
export function durationFault(milliseconds: number): string | undefined {
  if (milliseconds < 1) return "must be at least 1ms";
  // A part of a millisecond is at least one nanosecond; anything smaller came from the arithmetic of decimals.
  const part = Math.abs(milliseconds - Math.round(milliseconds));
  return part < 5e-7 ? undefined : "must be whole milliseconds";
}
