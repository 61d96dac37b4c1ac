/** One endpoint of a split. */
export interface Member {
  /** Its place in the list of shares. */
  readonly group: number;
  /** Its weight among the endpoints of its group, at least 0. */
  readonly weight: number;
  /** Whether it takes traffic now. */
  readonly eligible: boolean;
}

/**
 * The highest weight that an endpoint gets. Half of what the translator lets pass, and low enough that 85,000 endpoints of one
 * locality still add up to 32 bits.
 */
export const maxSplitWeight = 50_000;

/** Decimal places that shares may have to be exact. */
const maxDecimals = 6;

/**
 * Integer weights under which each group takes its share of the traffic, whatever the number of its endpoints, in the order of `members`.
 * Proxies choose an endpoint by its part of the sum over all eligible ones; so it is those sums that are in the ratio of the shares.
 * The share of a group without eligible endpoints goes to the others in their ratio. A share of 0 is never any traffic.
 *
 * How exact: where the shares, the counts and the endpoints' own weights have a common ratio in integers up to `maxSplitWeight`, each endpoint
 * gets that, and nothing is rounded. Otherwise the group's sums are exact for shares that add up to at most `maxSplitWeight` in lowest
 * terms, percentages with two decimals among them; for all other shares each sum is less than one unit (half a unit with two groups)
 * off its part of the total, which is at least `maxSplitWeight`. Within a group an endpoint is less than one unit off its part. A share above 0
 * is never rounded to 0; one below a unit of the total is one unit. Where a group gets fewer units than it has endpoints, because
 * another group gives its whole share to few, some of its endpoints get 0, always the same ones, so that the share stays exact.
 *
 * Endpoints that are not eligible do not count, but get a weight like their peers', at least 1, for when they are. Where none is eligible,
 * all count.
 */
export function splitWeights(members: readonly Member[], shares: readonly number[]): readonly number[] {
  const shareOf = (group: number): number => positive(shares[group]);
  const someTake = members.some((member) => member.eligible && member.weight > 0 && shareOf(member.group) > 0);
  const counts = (member: Member): boolean => member.weight > 0 && (member.eligible || !someTake);
  const groups = shares.map((_, at): Group => ({ share: shareOf(at), counted: [], others: 0, given: [] }));
  for (const member of members) {
    const group = groups[member.group];
    if (group === undefined || !(member.weight > 0)) continue;
    if (counts(member)) group.counted.push(member.weight);
    else group.others += member.weight;
  }
  const present = groups.filter((group) => group.share > 0 && group.counted.length > 0);
  if (!exactWeights(present)) roundedWeights(present);
  const perShare = sum(present.flatMap((group) => group.given)) / sum(present.map((group) => group.share));
  const next = groups.map(() => 0);
  return members.map((member) => {
    const group = groups[member.group];
    if (group === undefined || group.share === 0 || !(member.weight > 0)) return 0;
    if (!counts(member)) return asPeer(member.weight, group, perShare);
    const at = next[member.group] ?? 0;
    next[member.group] = at + 1;
    return group.given[at] ?? 0;
  });
}

interface Group {
  readonly share: number;
  /** The weights of the endpoints that count. */
  readonly counted: number[];
  /** The sum of the weights of those that do not. */
  others: number;
  /** What those that count get. */
  given: readonly number[];
}

/** What an endpoint that does not count would get beside those of its group that do, or in their place where there are none. */
function asPeer(weight: number, { share, counted, given, others }: Group, perShare: number): number {
  const each = counted.length > 0 ? sum(given) / sum(counted) : (share * perShare) / others;
  return Math.min(Math.max(1, Math.round(weight * each)), maxSplitWeight);
}

/** Gives the lowest integers in the exact ratio. False, and nothing given, where there are none within the bound. */
function exactWeights(groups: readonly Group[]): boolean {
  const shares = wholeShares(groups.map((group) => group.share));
  if (shares === undefined || !groups.every(({ counted }) => counted.every(Number.isSafeInteger))) return false;
  const lowest = groups.map(({ counted }) => {
    const common = counted.reduce(greatestCommonDivisor, 0);
    return counted.map((weight) => weight / common);
  });
  // Each unit of weight in group g is to be shares[g] / sums[g] of the whole: all of them on one denominator.
  const sums = lowest.map(sum);
  const denominators = shares.map((share, at) => over(sums[at], greatestCommonDivisor(share, sums[at] ?? 0)));
  const denominator = denominators.reduce(leastCommonMultiple, 1);
  if (!Number.isSafeInteger(denominator)) return false;
  const units = shares.map(
    (share, at) => (share / greatestCommonDivisor(share, sums[at] ?? 0)) * over(denominator, denominators[at] ?? 1),
  );
  if (!units.every(Number.isSafeInteger)) return false;
  const common = units.reduce(greatestCommonDivisor, 0);
  const weights = lowest.map((each, at) => each.map((weight) => weight * over(units[at], common)));
  if (!weights.every((each) => each.every((weight) => weight <= maxSplitWeight))) return false;
  for (const [at, group] of groups.entries()) group.given = weights[at] ?? [];
  return true;
}

/** Gives integers whose largest is about the bound: each group its part of the total, each endpoint its part of the group's. */
function roundedWeights(groups: readonly Group[]): void {
  const all = sum(groups.map((group) => group.share));
  const parts = groups.map((group) => group.share / all);
  const largest = groups.reduce(
    (highest, { counted }, at) => Math.max(highest, ((parts[at] ?? 0) * counted.reduce(larger, 0)) / sum(counted)),
    0,
  );
  // One less than the bound, for what rounding adds.
  const total = Math.floor((maxSplitWeight - 1) / largest);
  const whole = sum(wholeShares(groups.map((group) => group.share)) ?? [Number.POSITIVE_INFINITY]);
  const totals = apportion(whole <= total ? total - (total % whole) : total, parts, 1);
  for (const [at, group] of groups.entries()) {
    const weight = sum(group.counted);
    group.given = apportion(
      totals[at] ?? 0,
      group.counted.map((each) => each / weight),
      0,
    );
  }
}

/**
 * Integers that add up to `total`, each less than one off its part of it: rounded down, and what is left to the largest remainders, of
 * equal ones to the first. Where there is enough, none is below `least`; the largest gives for that.
 */
function apportion(total: number, parts: readonly number[], least: number): readonly number[] {
  const quotas = parts.map((part) => nearInteger(part * total));
  const given = quotas.map(Math.floor);
  const byRemainder = quotas
    .map((quota, at) => ({ at, remainder: quota - Math.floor(quota) }))
    .sort((a, b) => b.remainder - a.remainder || a.at - b.at);
  const left = total - sum(given);
  for (const { at } of byRemainder.slice(0, left)) given[at] = (given[at] ?? 0) + 1;
  for (const [at, value] of given.entries()) {
    if (value >= least) continue;
    const richest = given.indexOf(Math.max(...given));
    given[richest] = (given[richest] ?? 0) - (least - value);
    given[at] = least;
  }
  return given;
}

/** The integer that floating point missed by a hair, or the value itself. */
function nearInteger(value: number): number {
  const integer = Math.round(value);
  return Math.abs(value - integer) < 1e-9 * Math.max(1, integer) ? integer : value;
}

/** The shares in lowest integer terms; undefined where they have too many decimals. */
function wholeShares(shares: readonly number[]): readonly number[] | undefined {
  for (let decimals = 0; decimals <= maxDecimals; decimals++) {
    const scaled = shares.map((share) => share * 10 ** decimals);
    const whole = scaled.map(Math.round);
    if (!scaled.every((value, at) => isNear(value, whole[at] ?? 0))) continue;
    if (!whole.every((value) => value > 0 && Number.isSafeInteger(value))) return undefined;
    const common = whole.reduce(greatestCommonDivisor, 0);
    return whole.map((value) => value / common);
  }
  return undefined;
}

// What multiplication by a power of ten adds to a decimal is far below this.
function isNear(value: number, integer: number): boolean {
  return Math.abs(value - integer) <= 1e-12 * Math.max(1, integer);
}

/** A share as it counts: what is not a finite number above 0 is 0. Beyond a million million they are all equal, so that sums are finite. */
export function positive(share: number | undefined): number {
  return share !== undefined && Number.isFinite(share) && share > 0 ? Math.min(share, 1e12) : 0;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function larger(a: number, b: number): number {
  return Math.max(a, b);
}

function over(value: number | undefined, divisor: number): number {
  return (value ?? 0) / divisor;
}

function greatestCommonDivisor(a: number, b: number): number {
  let [x, y] = [a, b];
  while (y !== 0) [x, y] = [y, x % y];
  return x;
}

function leastCommonMultiple(a: number, b: number): number {
  return (a / greatestCommonDivisor(a, b)) * b;
}
