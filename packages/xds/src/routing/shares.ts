/** Envoy refuses weights that are more together. */
const maximumSum = 0xffff_ffff;

/**
 * The weighted ones among several, with weights that Envoy takes: each at least 1, all together no more than 2^32-1. Those without weight
 * get nothing and are left out.
 */
export function shares<T extends { readonly weight: number }>(routes: readonly T[]): readonly (readonly [T, number])[] {
  const weighted = routes.filter(({ weight }) => weight > 0);
  const sum = weighted.reduce((total, { weight }) => total + weight, 0);
  const divisor = sum > maximumSum ? Math.ceil(sum / maximumSum) + 1 : 1;
  return weighted.map((route) => [route, Math.max(1, Math.floor(route.weight / divisor))] as const);
}
