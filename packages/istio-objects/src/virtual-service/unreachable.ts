import { canonicalJson } from "@signalbox/model";
import type { FaultList, ObjectPath } from "../fault.ts";
import type { HttpMatch, HttpRoute, StringMatch } from "../schema/virtual-service.ts";

/** A list of rules as far as their order matters. */
type Rules = readonly { readonly match: readonly object[] }[];

/** How many pairs of matches are compared at most: the warnings are a help, and a file may hold very many. */
const mostComparisons = 1_000_000;

/** Warns of rules and matches that never apply, because an earlier one takes all of theirs. */
export function warnOfUnreachable(rules: Rules, path: ObjectPath, faults: FaultList): void {
  const seen = new Map<string, number>();
  let open: number | undefined;
  for (const [index, { match }] of rules.entries()) {
    const at = [...path, index];
    if (open !== undefined) faults.warning(at, `is never used: rule ${open} has no match and takes everything`);
    if (match.length === 0) open = index;
    if (open !== undefined) continue;
    let duplicates = 0;
    for (const [number, one] of match.entries()) {
      // A match's own name does not change what it takes.
      const key = canonicalJson({ ...one, name: "" });
      const first = seen.get(key);
      if (first === undefined) {
        seen.set(key, index);
      } else {
        duplicates++;
        faults.warning([...at, "match", number], `is never used: rule ${first} has the same match`);
      }
    }
    if (duplicates === match.length) faults.warning(at, "is never used: earlier rules have all its matches");
  }
}

interface PrefixMatch {
  readonly path: ObjectPath;
  readonly prefix: string;
  readonly match: HttpMatch;
}

/** Warns of matches by a path's prefix that an earlier, shorter prefix covers. */
export function warnOfCoveredPrefixes(rules: readonly HttpRoute[], path: ObjectPath, faults: FaultList): void {
  const earlier: PrefixMatch[] = [];
  let comparisons = 0;
  for (const [index, rule] of rules.entries()) {
    if (rule.match.length === 0) return;
    for (const [number, match] of rule.match.entries()) {
      const prefix = match.uri?.prefix ?? "";
      if (prefix === "") continue;
      const later: PrefixMatch = { path: [...path, index, "match", number], prefix, match };
      comparisons += earlier.length;
      if (comparisons > mostComparisons) return;
      const covering = earlier.find((one) => covers(one, later));
      if (covering !== undefined)
        faults.warning(later.path, `is never used: the prefix "${covering.prefix}" before it takes "${prefix}" too`);
      earlier.push(later);
    }
  }
}

function covers(earlier: PrefixMatch, later: PrefixMatch): boolean {
  if (later.prefix === earlier.prefix || !later.prefix.startsWith(earlier.prefix)) return false;
  const [a, b] = [earlier.match, later.match];
  // Without a method Istio's analysis takes GET, and it does not look at regular expressions.
  return (
    a.port === b.port &&
    (written(a.method) || "exact:GET").startsWith(written(b.method) || "exact:GET") &&
    written(a.authority).startsWith(written(b.authority)) &&
    coversMap(a.headers, b.headers) &&
    coversMap(a.queryParams, b.queryParams) &&
    coversMap(a.withoutHeaders, b.withoutHeaders)
  );
}

function coversMap(
  earlier: Readonly<Record<string, StringMatch>>,
  later: Readonly<Record<string, StringMatch>>,
): boolean {
  const entries = Object.entries(earlier);
  if (entries.length !== Object.keys(later).length) return false;
  return entries.every(
    ([name, match]) => Object.hasOwn(later, name) && written(match).startsWith(written(later[name])),
  );
}

function written(match: StringMatch | undefined): string {
  if (match?.exact) return `exact:${match.exact}`;
  return match?.prefix ? `prefix:${match.prefix}` : "";
}
