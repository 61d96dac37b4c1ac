import type { Finding, RegistryId, Service, ServiceInstance } from "@signalbox/model";

/** The stages through which what registries say becomes a catalog entry, in their order. */
export type StageName = "health" | "manual" | "drift" | "guard" | "merge" | "weights";

/** Why a candidate is not an endpoint of the catalog. The first stage that says so has the last word. */
export interface Exclusion {
  readonly stage: StageName;
  /** A reason code in capitals, for example `GHOST`, `SHADOW`, `DRAINED`. */
  readonly code: string;
  /** The value that decided, for people: `no pod has 10.1.2.3`. */
  readonly detail: string;
}

/** One endpoint of one service port, as one registry knows it, on its way through the stages. */
export interface Candidate {
  /** As its registry said it, but for what stages changed on purpose: health and weight. */
  readonly instance: ServiceInstance;
  readonly registry: RegistryId;
  /** What stages noted. */
  readonly findings: readonly Finding[];
  /** How far behind the first choice of its registry's endpoints this one stands; 0 is the first. */
  readonly priority: number;
  /** Set once a stage took it out; later stages leave it alone. */
  readonly excluded?: Exclusion;
}

/** What one registry says about one service, on its way through the stages. */
export interface CandidateRecord {
  readonly registry: RegistryId;
  readonly service: Service;
  readonly candidates: readonly Candidate[];
}

/** Takes a candidate out. One that is out already stays as it is. */
export function exclude(candidate: Candidate, stage: StageName, code: string, detail: string): Candidate {
  return candidate.excluded ? candidate : { ...candidate, excluded: { stage, code, detail } };
}

/** Notes something about a candidate that stays in. `since` is in epoch milliseconds. */
export function withFinding(candidate: Candidate, stage: StageName, code: string, since: number): Candidate {
  return { ...candidate, findings: [...candidate.findings, { stage, code, since }] };
}
