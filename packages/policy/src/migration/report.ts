import type { Labels, Locality, Port, ServiceKey } from "@signalbox/model";
import type { ExplainedCandidate } from "../explanation.ts";
import type { Pattern } from "../patterns.ts";

/** An endpoint of one side. Without labels or locality these are not compared. */
export interface MigrationCandidate extends ExplainedCandidate {
  readonly labels?: Labels;
  readonly locality?: Locality;
}

/** One side of a migration: what the registries that fit `registries` say about the service. */
export interface MigrationSide {
  readonly registries: Pattern;
  /** Every registry that fits, with its state. */
  readonly sources: readonly { readonly id: string; readonly state: string }[];
  readonly candidates: readonly MigrationCandidate[];
  readonly ports: readonly Port[];
}

/** What must hold before a service may move. */
export interface MigrationRules {
  /** The least parity, 0..1. */
  readonly parity: number;
  /** How long parity must have held, in milliseconds. */
  readonly forMs: number;
  /** The consumers that are known and prepared. Where absent, nobody asks who consumes. */
  readonly consumers?: readonly string[];
}

/** What a report is made of. */
export interface MigrationInput {
  readonly service: ServiceKey;
  readonly from: MigrationSide;
  readonly to: MigrationSide;
  /** Epoch milliseconds. */
  readonly now: number;
  /** Since when parity has been at least `rules.parity`, in epoch milliseconds; absent while it is not, or where nobody watched. */
  readonly paritySince?: number;
  /** Hostnames, of the service or of endpoints, that were looked up and have no address. Where absent, none was looked up. */
  readonly unresolvable?: readonly string[];
  /** Who calls the service. Where absent, it is not known. */
  readonly consumers?: readonly string[];
  readonly rules: MigrationRules;
}

/** An endpoint that only one side has. */
export interface MigrationRow {
  readonly registry: string;
  readonly address: string;
  readonly servicePort: string;
  /** Code of the drift verdict, where there is one. */
  readonly verdict?: string;
  /** Code of what became of it in the catalog. */
  readonly outcome: string;
}

/** A port number that one side does not have, or that has two names. */
export interface PortDelta {
  readonly number: number;
  /** Name on that side; absent where the side has no such port. */
  readonly from?: string;
  readonly to?: string;
}

/** A port number of which the sides say different protocols. */
export interface ProtocolDelta {
  readonly number: number;
  readonly from: string;
  readonly to: string;
}

/** A label of an endpoint that both sides have, with different values. A side without the label has no value. */
export interface LabelDelta {
  readonly address: string;
  readonly label: string;
  readonly from?: string;
  readonly to?: string;
}

/** How many endpoints of each side have this value. The empty text is: not known. */
export interface SpreadRow {
  readonly value: string;
  readonly from: number;
  readonly to: number;
}

/** Why a service is not ready, in capitals. */
export type BlockerCode =
  | "CONSUMER_UNKNOWN"
  | "GHOST_PRESENT"
  | "HOSTNAME_UNRESOLVABLE"
  | "IMPOSTOR_PRESENT"
  | "PARITY_BELOW"
  | "PARITY_TOO_SHORT"
  | "PORT_MISSING"
  | "PROTOCOL_DIFFERS"
  | "PROTOCOL_UNKNOWN"
  | "SOURCE_NOT_SYNCED"
  | "WEIGHT_UNMAPPED";

/** One thing that stands in the way, with what to look at. */
export interface Blocker {
  readonly code: BlockerCode;
  readonly detail: string;
}

/** Whether two registries say the same about a service, and what keeps it from moving from one to the other. */
export interface MigrationReport {
  readonly service: ServiceKey;
  readonly from: Pattern;
  readonly to: Pattern;
  /** Endpoints in both, divided by endpoints in either; 0 where there are none at all, because that proves nothing. */
  readonly parity: number;
  /** How many endpoints both sides have. */
  readonly shared: number;
  readonly onlyInFrom: readonly MigrationRow[];
  readonly onlyInTo: readonly MigrationRow[];
  readonly portDeltas: readonly PortDelta[];
  readonly protocolDeltas: readonly ProtocolDelta[];
  readonly labelDeltas: readonly LabelDelta[];
  /** By the label `version` and by zone. */
  readonly spread: { readonly version: readonly SpreadRow[]; readonly zone: readonly SpreadRow[] };
  /** How long parity has been as high as the rules ask; 0 while it is not. */
  readonly secondsInParity: number;
  /** Whether nothing stands in the way. */
  readonly ready: boolean;
  /** By code and detail; empty means ready. */
  readonly blockers: readonly Blocker[];
}
