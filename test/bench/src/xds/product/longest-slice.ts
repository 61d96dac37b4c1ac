/** A stretch of time. Milliseconds of one clock. */
export interface Stretch {
  readonly from: number;
  readonly until: number;
}

/** The time between two turns of the loop. */
export interface Turn extends Stretch {
  /** For how many milliseconds of it the thread could have run and had no core. */
  readonly waited: number;
}

/**
 * The longest time between two turns that was work of the process: without garbage collection, and without waiting for a core. Never less than it was.
 * Waiting that may have been within a collection is taken off once. Zero without turns.
 */
export function longestSlice(turns: readonly Turn[], collections: readonly Stretch[]): number {
  const inOrder = [...collections].sort((a, b) => a.from - b.from);
  return turns.reduce((longest, turn) => Math.max(longest, ownMs(turn, inOrder)), 0);
}

function ownMs({ from, until, waited }: Turn, collections: readonly Stretch[]): number {
  let collecting = 0;
  let reached = from;
  for (const one of collections) {
    // One may begin another one, and that time counts once.
    const end = Math.min(until, one.until);
    collecting += Math.max(0, end - Math.max(reached, one.from));
    reached = Math.max(reached, end);
  }
  return Math.max(0, until - from - collecting - Math.max(0, waited - collecting));
}
