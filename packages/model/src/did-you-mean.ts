import { byCodeUnit } from "./order.ts";

/** More slips than this make another word. */
const mostEdits = 3;

/**
 * The candidate that is most like `word`, when it is near enough to be a slip of the fingers: one edit for each three letters, at least one
 * and at most three. An edit is a letter too much, too few or wrong, or two neighbours swapped. Case does not count. Of equally near ones
 * the first by code unit. For messages about names that people write; undefined when no candidate is near.
 */
export function didYouMean(word: string, candidates: Iterable<string>): string | undefined {
  let best: string | undefined;
  let limit = Math.min(mostEdits, Math.max(1, Math.floor(word.length / 3))) + 1;
  for (const candidate of [...candidates].sort(byCodeUnit)) {
    // Each letter too much is an edit: a long word costs nothing.
    if (Math.abs(word.length - candidate.length) >= limit) continue;
    const edits = editDistance(word.toLowerCase(), candidate.toLowerCase());
    if (edits < limit) [best, limit] = [candidate, edits];
  }
  return best;
}

/** Insertions, deletions, replacements and swaps of neighbours that make one word the other. */
function editDistance(from: string, to: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (let row = 1; row <= from.length; row++) {
    const current = [row];
    for (let column = 1; column <= to.length; column++) {
      const same = from[row - 1] === to[column - 1];
      let cost = Math.min(
        (last[column] ?? 0) + 1,
        (current[column - 1] ?? 0) + 1,
        (last[column - 1] ?? 0) + (same ? 0 : 1),
      );
      if (row > 1 && column > 1 && from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1])
        cost = Math.min(cost, (beforeLast[column - 2] ?? 0) + 1);
      current.push(cost);
    }
    beforeLast = last;
    last = current;
  }
  return last[to.length] ?? 0;
}
