/** Plain code-unit order: the order of everything that leaves this package. */
export function byCodeUnits(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
