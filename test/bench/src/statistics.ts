/** The value below which the given share of the samples lies, by nearest rank. Throws a RangeError where there are none. */
export function quantile(samples: readonly number[], share: number): number {
  const sorted = [...samples].sort((a, b) => a - b);
  const value = sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)];
  if (value === undefined) throw new RangeError("a quantile of no samples");
  return value;
}

/** The value in the middle; of an even number the mean of the two. Throws a RangeError where there are none. */
export function median(samples: readonly number[]): number {
  const sorted = [...samples].sort((a, b) => a - b);
  const upper = sorted[Math.floor(sorted.length / 2)];
  if (upper === undefined) throw new RangeError("a median of no samples");
  if (sorted.length % 2 === 1) return upper;
  return (upper + (sorted[sorted.length / 2 - 1] ?? upper)) / 2;
}

/** How much `y` grows for each `x`: the line of least squares through points `[x, y]`. Throws a RangeError for points that are all at one `x`. */
export function slope(points: readonly (readonly [number, number])[]): number {
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [x, y] = [mean(points.map(([x]) => x)), mean(points.map(([, y]) => y))];
  const spread = points.reduce((sum, [at]) => sum + (at - x) ** 2, 0);
  if (!(spread > 0)) throw new RangeError("a slope needs two points beside each other");
  return points.reduce((sum, [at, value]) => sum + (at - x) * (value - y), 0) / spread;
}
