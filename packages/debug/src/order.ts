import { byCodeUnit } from "@signalbox/model";

/** Copies and sorts by a text made of each item. */
export function sortedBy<T>(items: Iterable<T>, text: (item: T) => string): T[] {
  const keyed = Array.from(items, (item) => ({ item, key: text(item) }));
  return keyed.sort((a, b) => byCodeUnit(a.key, b.key)).map(({ item }) => item);
}

/** A JSON object of string members with sorted names. Names such as `__proto__` are data. */
export function sortedRecord<V>(members: Iterable<readonly [string, V]>): Readonly<Record<string, V>> {
  return Object.fromEntries(sortedBy(members, ([name]) => name));
}
