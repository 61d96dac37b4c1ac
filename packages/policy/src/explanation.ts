import type { Finding, HealthStatus, RegistryId, ServiceKey } from "@signalbox/model";
import type { StageName } from "./candidate.ts";
import type { Lint } from "./lint/lint.ts";
import type { MergeRule } from "./merge-rule.ts";

/**
 * What became of a candidate. Exactly one for each. Of those that are in the catalog: `SERVED` takes traffic, `STANDBY` only when those
 * before it cannot, `WEIGHT_ZERO` none; `MERGED` is the same endpoint as one of a registry with higher precedence, which speaks
 * for both. Every other code is that of the stage which took it out.
 */
export interface Outcome {
  readonly stage: StageName;
  readonly code: string;
  readonly detail: string;
}

/** One candidate and what became of it. */
export interface ExplainedCandidate {
  readonly registry: RegistryId;
  /** Name in the source's own terms. */
  readonly object: string;
  readonly id: string;
  readonly servicePort: string;
  /** As `instanceKey` writes it. */
  readonly address: string;
  /** What its registry said. */
  readonly reported: { readonly healthStatus: HealthStatus; readonly weight: number };
  /** What clients are told; absent where they are told nothing. */
  readonly served?: { readonly healthStatus: HealthStatus; readonly weight: number; readonly priority: number };
  readonly outcome: Outcome;
  readonly findings: readonly Finding[];
}

/** Two registries that say different things about one service or endpoint. The first one counts. */
export interface Conflict {
  /** For example `ports[http].protocol`, or `10.1.2.3:8080 locality`. */
  readonly field: string;
  readonly kept: { readonly registry: RegistryId; readonly value: unknown };
  readonly dropped: { readonly registry: RegistryId; readonly value: unknown };
}

/** An endpoint that left its registry. Only the last ones of a service are remembered. */
export interface Departure {
  readonly registry: RegistryId;
  readonly address: string;
  readonly servicePort: string;
  /** Epoch milliseconds. */
  readonly at: number;
}

/** Why a service is as it is in the catalog. */
export interface ServiceExplanation {
  readonly service: ServiceKey;
  /** Other hostnames under which it is in the catalog. */
  readonly aliases: readonly string[];
  /** From which name of which registry it came, by which rule of identity; no rule where the name is the registry's own. */
  readonly identities: readonly { readonly registry: RegistryId; readonly name: string; readonly rule?: number }[];
  readonly merge: MergeRule;
  /** The part of the traffic that is to fail, in parts of a million, by service port; absent: none. */
  readonly unserved?: Readonly<Record<string, number>>;
  readonly candidates: readonly ExplainedCandidate[];
  readonly conflicts: readonly Conflict[];
  /** What is allowed and probably not meant. */
  readonly lints: readonly Lint[];
  readonly departures: readonly Departure[];
}
