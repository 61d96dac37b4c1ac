/**
 * Compares two texts by UTF-16 code unit, as `<` does: the one order in which anything leaves a package. The same on every machine, unlike
 * the order of a locale.
 */
export function byCodeUnit(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
