import { setImmediate as nextTurn } from "node:timers/promises";

/** So many are made in one turn of the loop. */
const atOnce = 50;

/** Makes things with the numbers from 0 a few at a time, so that making them up is no long slice of the process that is measured. */
export async function inTurns<T>(count: number, make: (number: number) => T): Promise<readonly T[]> {
  const made: T[] = [];
  while (made.length < count) {
    const until = Math.min(count, made.length + atOnce);
    while (made.length < until) made.push(make(made.length));
    await nextTurn();
  }
  return made;
}
