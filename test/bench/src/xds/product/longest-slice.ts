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

/** Collection of garbage. */
export interface Collection extends Stretch {
  /** For how many milliseconds of it the thread had a core. */
  readonly cpu: number;
}

/**
 * The longest time between two turns that was work of the process: without garbage collection, and without waiting for a core. Never less than it was:
 * how much of the waiting was within a collection is not known, so it is either taken off with the collection, or by itself with what the
 * collection had of a core; both leave too much, and the less counts. Zero without turns.
 */
export function longestSlice(turns: readonly Turn[], collections: readonly Collection[]): number {
  const inOrder = ordered(collections);
  return turns.reduce((longest, turn) => Math.max(longest, ownMs(turn, inOrder)), 0);
}

/** The longest time of one turn in some stretches, which do not overlap. Never more than `longestSlice` says of that turn. */
export function longestWithin(
  turns: readonly Turn[],
  collections: readonly Collection[],
  stretches: readonly Stretch[],
): number {
  const within = ({ from, until }: Turn) =>
    stretches.reduce((sum, one) => sum + Math.max(0, Math.min(until, one.until) - Math.max(from, one.from)), 0);
  const inOrder = ordered(collections);
  let longest = 0;
  // The longest first: there are thousands, and most are shorter than what was found by then.
  for (const { ms, turn } of turns.map((turn) => ({ ms: ownMs(turn, inOrder), turn })).sort((a, b) => b.ms - a.ms)) {
    if (ms <= longest) break;
    longest = Math.max(longest, Math.min(ms, within(turn)));
  }
  return longest;
}

/** One that is within another one comes behind it. */
function ordered(collections: readonly Collection[]): readonly Collection[] {
  return [...collections].sort((a, b) => a.from - b.from || b.until - a.until);
}

function ownMs({ from, until, waited }: Turn, collections: readonly Collection[]): number {
  let collecting = 0;
  let cpu = 0;
  let reached = from;
  for (const one of collections) {
    const start = Math.max(reached, one.from);
    const end = Math.min(until, one.until);
    if (end <= start) continue;
    collecting += end - start;
    // Where only a part of it counts, all that it waited may have been in that part.
    cpu += Math.max(0, end - start - (one.until - one.from - one.cpu));
    reached = end;
  }
  const ms = until - from;
  return Math.max(0, Math.min(ms - collecting - Math.max(0, waited - collecting), ms - waited - cpu));
}
