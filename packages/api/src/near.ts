import { didYouMean } from "@signalbox/model";

/** Up to `most` candidates that a slip of the fingers makes of `word`, nearest first. */
export function nearest(word: string, candidates: Iterable<string>, most: number): string[] {
  const left = new Set(candidates);
  const found: string[] = [];
  while (found.length < most) {
    const next = didYouMean(word, left);
    if (next === undefined) break;
    found.push(next);
    left.delete(next);
  }
  return found;
}
