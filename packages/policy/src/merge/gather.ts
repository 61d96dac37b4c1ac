import { byCodeUnit, instanceKey } from "@signalbox/model";
import type { CatalogInstance, Finding, Port, Provenance, RegistryId } from "@signalbox/model";
import type { Candidate, CandidateRecord } from "../candidate.ts";
import type { MergeRule } from "../merge-rule.ts";
import { eligibility } from "./eligible.ts";
import { groupingOf } from "./grouping.ts";
import type { Grouping } from "./grouping.ts";
import { addPorts, findPorts } from "./ports.ts";
import type { PortNames } from "./ports.ts";

/** What a merge is made of. */
export interface MergeInput {
  /** By registry precedence, highest first, whatever the order in which they spoke. */
  readonly records: readonly CandidateRecord[];
  readonly rule: MergeRule;
  /** The registries whose content is too old to be trusted where another one knows better: since when, in epoch milliseconds. */
  readonly expired: ReadonlyMap<RegistryId, number>;
}

/** One endpoint of one service port, with all who know it. */
export interface Endpoint {
  /** Name of the merged port. */
  readonly servicePort: string;
  /** Whose attributes it has. */
  speaker: Candidate;
  speakerRank: number;
  /** The group that it belongs to, or -1 for the preferred one of a `prefer`: the lowest of all who know it. */
  rank: number;
  /** By registry precedence. */
  readonly provenance: [Provenance, ...Provenance[]];
  /** What stages noted about it, in whichever registry. */
  findings: readonly Finding[];
}

/** All endpoints that are to be in the catalog, by identity, and what was found on the way. */
export interface Gathered {
  readonly grouping: Grouping;
  /** The records that give the service its attributes and ports. */
  readonly contributing: readonly CandidateRecord[];
  readonly ports: readonly Port[];
  readonly portNames: ReadonlyMap<CandidateRecord, PortNames>;
  readonly endpoints: ReadonlyMap<string, Endpoint>;
  /** Under a `prefer`: the group that gives each merged port its endpoints. */
  readonly preferred: ReadonlyMap<string, number>;
}

/** The one array of an endpoint about which nothing was noted. */
export const noFindings: CatalogInstance["findings"] = Object.freeze([]);

/** What identifies an endpoint of a merged service. */
export function endpointIdentity(servicePort: string, candidate: Candidate): string {
  return `${servicePort}\0${instanceKey(candidate.instance.addresses[0])}`;
}

/** Finds the ports and the endpoints. */
export function gather({ records, rule, expired }: MergeInput): Gathered {
  const grouping = groupingOf(rule);
  const contributing = contributingTo(records, rule, grouping);
  const ports: Port[] = [];
  const portNames = new Map<CandidateRecord, PortNames>();
  for (const record of contributing) portNames.set(record, addPorts(ports, record.service.ports));
  for (const record of records)
    if (!portNames.has(record)) portNames.set(record, findPorts(ports, record.service.ports));
  const preferred = rule.type === "prefer" ? preferredGroups(records, portNames, grouping, expired) : none;
  const endpoints = new Map<string, Endpoint>();
  for (const record of records) {
    const names = portNames.get(record);
    const group = grouping.groupOf(record.registry);
    for (const candidate of byId(record.candidates)) {
      const servicePort = names?.get(candidate.instance.servicePort);
      if (servicePort === undefined || candidate.excluded !== undefined) continue;
      // What the preferred group knows belongs to it, whoever else knows it too.
      const rank = preferred.get(servicePort) === group ? preferredRank : group;
      add(endpoints, servicePort, candidate, rank, expired);
    }
  }
  for (const [identity, endpoint] of endpoints) {
    const absent =
      rule.type === "prefer" ? endpoint.rank !== preferredRank : grouping.absent(endpoint.rank) !== undefined;
    if (absent) endpoints.delete(identity);
  }
  return { grouping, contributing, ports, portNames, endpoints, preferred };
}

const none: ReadonlyMap<string, number> = new Map();
const preferredRank = -1;

/** Only the one of an `authoritative` rule, if it knows the service; otherwise the others, so that the service is there, without endpoints. */
function contributingTo(records: readonly CandidateRecord[], rule: MergeRule, grouping: Grouping) {
  if (rule.type !== "authoritative") return records;
  const authority = records.filter((record) => grouping.groupOf(record.registry) === 0);
  return authority.length > 0 ? authority : records;
}

/**
 * For each merged port the first group that has eligible endpoints there: fully eligible and not expired if one has those, else
 * those that can only fall back, else expired ones; where none has any, the first group that knows an endpoint.
 */
function preferredGroups(
  records: readonly CandidateRecord[],
  portNames: ReadonlyMap<CandidateRecord, PortNames>,
  grouping: Grouping,
  expired: ReadonlyMap<RegistryId, number>,
): ReadonlyMap<string, number> {
  const best = new Map<string, { readonly group: number; readonly merit: number }>();
  for (const record of records) {
    const group = grouping.groupOf(record.registry);
    for (const { excluded, instance } of record.candidates) {
      const servicePort = portNames.get(record)?.get(instance.servicePort);
      if (servicePort === undefined || excluded !== undefined) continue;
      const merit = meritOf(eligibility(instance), expired.has(record.registry));
      const known = best.get(servicePort);
      if (known === undefined || merit < known.merit || (merit === known.merit && group < known.group))
        best.set(servicePort, { group, merit });
    }
  }
  return new Map([...best].map(([servicePort, { group }]) => [servicePort, group]));
}

/** 0 is the best. */
function meritOf(eligible: ReturnType<typeof eligibility>, old: boolean): number {
  if (eligible === "none") return 4;
  return (eligible === "full" ? 0 : 1) + (old ? 2 : 0);
}

// By id, so that the order within a registry does not decide which of two equal addresses counts.
function byId(candidates: readonly Candidate[]): readonly Candidate[] {
  return [...candidates].sort((a, b) => byCodeUnit(a.instance.id, b.instance.id));
}

function add(
  endpoints: Map<string, Endpoint>,
  servicePort: string,
  candidate: Candidate,
  rank: number,
  expired: ReadonlyMap<RegistryId, number>,
): void {
  const { findings, instance } = candidate;
  const identity = endpointIdentity(servicePort, candidate);
  const known = endpoints.get(identity);
  if (known === undefined) {
    endpoints.set(identity, {
      servicePort,
      speaker: candidate,
      speakerRank: rank,
      rank,
      provenance: [instance.provenance],
      findings: findings.length === 0 ? noFindings : findings,
    });
    return;
  }
  if (known.provenance.some((other) => sameSource(other, instance.provenance))) return;
  known.provenance.push(instance.provenance);
  known.findings = together(known.findings, findings);
  const knownOld = expired.has(known.speaker.registry);
  const old = expired.has(candidate.registry);
  // A registry with higher precedence came before, so of two in one group the first speaks.
  if (knownOld === old ? rank < known.speakerRank : knownOld) {
    known.speaker = candidate;
    known.speakerRank = rank;
  }
  known.rank = Math.min(known.rank, rank);
}

/** The findings of both; what both say is said once, since the earlier time. */
function together(some: readonly Finding[], more: readonly Finding[]): readonly Finding[] {
  if (more.length === 0) return some;
  const all = [...some];
  for (const finding of more) {
    const at = all.findIndex(({ code, stage }) => code === finding.code && stage === finding.stage);
    const known = all[at];
    if (known === undefined) all.push(finding);
    else if (finding.since < known.since) all[at] = finding;
  }
  return all;
}

function sameSource(a: Provenance, b: Provenance): boolean {
  return a.registry === b.registry && a.object === b.object;
}
