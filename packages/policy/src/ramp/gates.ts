import { byCodeUnit, instanceKey } from "@signalbox/model";
import type { RegistryId } from "@signalbox/model";
import type { Candidate, CandidateRecord } from "../candidate.ts";
import { eligibility } from "../merge/eligible.ts";
import { firstFit, fits } from "../patterns.ts";
import type { Pattern } from "../patterns.ts";
import type { Share } from "../merge-rule.ts";

/** What must hold for a ramp to take a step. What is absent is not asked. */
export interface RampGates {
  /** The part of the target group's endpoints, 0..1, that may be ghosts at most. The target is the last share of a step. */
  readonly maxGhosts?: number;
  /** How many eligible endpoints the registries that fit a pattern must have together. */
  readonly minEligible?: Readonly<Record<Pattern, number>>;
  /** Whether all registries that have a share in any step must be without problems. */
  readonly noErrorStates?: boolean;
}

/** What the gates look at. */
export interface RampObservation {
  /** The part of the target group's endpoints, 0..1, that are ghosts. */
  readonly ghosts: number;
  /** Eligible endpoints; a registry that is not here has none. */
  readonly eligible: ReadonlyMap<RegistryId, number>;
  /** The registries that are in trouble, and how, for people. */
  readonly problems: ReadonlyMap<RegistryId, string>;
}

/**
 * Observes one service, for a ramp whose current shares are given, in what the stages before the merge made of it. Of a service with
 * several ports, the one with the fewest eligible endpoints counts, because all of them move together.
 */
export function observeRamp(
  shares: readonly Share[],
  records: readonly CandidateRecord[],
  problems: ReadonlyMap<RegistryId, string>,
): RampObservation {
  const patterns = shares.map((share) => share.registry);
  const target = records.filter(({ registry }) => firstFit(patterns, registry) === patterns.length - 1);
  const targets = target.flatMap(({ candidates }) => candidates);
  const eligible = new Map<RegistryId, number>();
  for (const record of records)
    eligible.set(record.registry, (eligible.get(record.registry) ?? 0) + fewestEligible(record));
  return {
    ghosts: targets.length === 0 ? 0 : targets.filter(isGhost).length / targets.length,
    eligible,
    problems,
  };
}

function fewestEligible({ candidates }: CandidateRecord): number {
  const ports = new Map<string, Set<string>>();
  for (const { excluded, instance } of candidates) {
    const found = ports.get(instance.servicePort) ?? new Set();
    ports.set(instance.servicePort, found);
    if (excluded === undefined && eligibility(instance) === "full") found.add(instanceKey(instance.addresses[0]));
  }
  return ports.size === 0 ? 0 : Math.min(...[...ports.values()].map((found) => found.size));
}

function isGhost({ excluded, findings }: Candidate): boolean {
  return excluded?.code === "GHOST" || findings.some(({ code }) => code === "GHOST");
}

/** Says of each gate that fails why, always in the same order. */
export function failingGates(
  rule: { readonly gates: RampGates; readonly steps: readonly { readonly shares: readonly Share[] }[] },
  { eligible, ghosts, problems }: RampObservation,
): readonly string[] {
  const { maxGhosts, minEligible = {}, noErrorStates = false } = rule.gates;
  const failing: string[] = [];
  // A part that is not a number is of nobody knows what: no reason to go on.
  if (maxGhosts !== undefined && !(ghosts <= maxGhosts))
    failing.push(`${percent(ghosts)} of the target's endpoints are ghosts, more than ${percent(maxGhosts)}`);
  for (const [pattern, least] of Object.entries(minEligible).sort(([a], [b]) => byCodeUnit(a, b))) {
    let count = 0;
    for (const [registry, some] of eligible) if (fits(pattern, registry)) count += some;
    if (!(count >= least)) failing.push(`${pattern} has ${count} eligible endpoints, fewer than ${least}`);
  }
  if (noErrorStates) {
    const patterns = rule.steps.flatMap(({ shares }) => shares.map((share) => share.registry));
    for (const [registry, problem] of [...problems].sort(([a], [b]) => byCodeUnit(a, b)))
      if (firstFit(patterns, registry) >= 0) failing.push(`${registry}: ${problem}`);
  }
  return failing;
}

function percent(part: number): string {
  return `${Math.round(part * 1000) / 10}%`;
}
