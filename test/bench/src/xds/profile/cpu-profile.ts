import type { Profiler } from "node:inspector";
import type { Stretch } from "../product/longest-slice.ts";

/** What one function cost. */
export interface FunctionCost {
  /** Its name and where it stands; `(garbage collector)` and the like are no functions, but cost as well. */
  readonly name: string;
  /** Milliseconds in the function itself. */
  readonly self: number;
  /** Milliseconds in the function and all it called. */
  readonly total: number;
}

/** What every function cost in a CPU profile, in no order. Recursion counts once. */
export function functionCosts(profile: Profiler.Profile): readonly FunctionCost[] {
  const selfOf = selfTimes(profile);
  const nodes = new Map(profile.nodes.map((node) => [node.id, node]));
  const costs = new Map<string, { self: number; total: number }>();
  const parents = parentsOf(profile);
  for (const [id, ms] of selfOf) {
    const seen = new Set<string>();
    for (let at: number | undefined = id; at !== undefined; at = parents.get(at)) {
      const node = nodes.get(at);
      if (node === undefined) break;
      const name = frameName(node.callFrame);
      const cost = costs.get(name) ?? { self: 0, total: 0 };
      costs.set(name, cost);
      if (at === id) cost.self += ms;
      if (!seen.has(name)) cost.total += ms;
      seen.add(name);
    }
  }
  return [...costs].map(([name, cost]) => ({ name, ...cost }));
}

/** What ran in a stretch of time: milliseconds of the functions themselves. Times are microseconds of the profile's clock. */
export function functionsWithin(profile: Profiler.Profile, from: number, until: number): ReadonlyMap<string, number> {
  const nodes = new Map(profile.nodes.map((node) => [node.id, node]));
  const found = new Map<string, number>();
  for (const { at, id, ms } of samplesOf(profile)) {
    const node = nodes.get(id);
    if (node === undefined || at < from || at > until) continue;
    const name = frameName(node.callFrame);
    found.set(name, (found.get(name) ?? 0) + Math.min(ms, (until - at) / 1000));
  }
  return found;
}

/**
 * When functions of some files ran, or what these called: stretches in milliseconds of the profile's clock. Collecting garbage is under no
 * function.
 */
export function stretchesUnder(profile: Profiler.Profile, isMeant: (url: string) => boolean): readonly Stretch[] {
  const meant = new Set<number>();
  // A node comes before its children.
  for (const { callFrame, children = [], id } of profile.nodes) {
    if (isMeant(callFrame.url)) meant.add(id);
    if (meant.has(id)) for (const child of children) meant.add(child);
  }
  return samplesOf(profile).flatMap(({ at, id, ms }) =>
    meant.has(id) ? [{ from: at / 1000, until: at / 1000 + ms }] : [],
  );
}

/** A function's name with its file, as short as it can be told from others. */
export function frameName({
  functionName,
  lineNumber,
  url,
}: Pick<Profiler.ProfileNode["callFrame"], "functionName" | "lineNumber" | "url">): string {
  if (url === "") return functionName;
  const path = url.replace(/^file:\/\//, "").replace(/^.*\/(?=(packages|adapters|test|node_modules)\/)/, "");
  return `${functionName === "" ? "(anonymous)" : functionName} ${path}:${lineNumber + 1}`;
}

function selfTimes(profile: Profiler.Profile): ReadonlyMap<number, number> {
  const found = new Map<number, number>();
  for (const { id, ms } of samplesOf(profile)) found.set(id, (found.get(id) ?? 0) + ms);
  return found;
}

/** Each look at the stack, when it was, and the time until the next one. */
function samplesOf({ endTime, samples = [], startTime, timeDeltas = [] }: Profiler.Profile) {
  let at = startTime;
  const times = timeDeltas.map((delta) => (at += delta));
  return samples.map((id, index) => {
    const when = times[index] ?? endTime;
    const next = times[index + 1] ?? endTime;
    return { at: when, id, ms: Math.max(0, next - when) / 1000 };
  });
}

function parentsOf({ nodes }: Profiler.Profile): ReadonlyMap<number, number> {
  return new Map(nodes.flatMap((node) => (node.children ?? []).map((child) => [child, node.id] as const)));
}
