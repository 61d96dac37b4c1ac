import type { RegistryId, ServiceInstance, ServiceKey } from "@signalbox/model";
import type { GuardRule } from "../rules.ts";

/** Why endpoints were more than may leave at once. Plain JSON. */
export interface TripReason {
  /** What was counted: endpoints (of the service or the source), or services of the source. */
  readonly counted: "endpoints" | "services";
  /** How many left within the window and were not replaced. */
  readonly removed: number;
  /** How many there would be had they not left. */
  readonly baseline: number;
  /** `removed / baseline`. */
  readonly ratio: number;
  /** The ratio that the rule allows. */
  readonly limit: number;
  /**
   * What is likely behind it. `AUTH`: several services left as a whole, and nothing of any other. Sources show that to who may no longer
   * read part of them.
   */
  readonly suspected?: "AUTH";
}

/** Of what a guard holds: a whole source, or one service of it. */
export type GuardScope = "source" | "service";

/** Endpoints of one service by instance id, sorted. No ids: the service itself, which has no endpoints. */
export interface HeldIds {
  readonly service: ServiceKey;
  readonly instances: readonly string[];
}

/**
 * Why an endpoint is no longer held. It is back (`returned`, also under another id at its old address), another one came in its place
 * (`replaced`), most of what had left is back (`recovery`), the time is over (`time`), the source said the same in enough versions
 * (`versions`), something independent says that it is gone (`confirmed`), it was meant (`scaled-to-zero`), the service no longer has the
 * port that it serves (`port-removed`), a person accepted it (`operator`). But for `returned` it leaves the catalog by this.
 */
export type ReleaseReason =
  | "returned"
  | "replaced"
  | "recovery"
  | "time"
  | "versions"
  | "confirmed"
  | "scaled-to-zero"
  | "port-removed"
  | "operator";

interface OfScope {
  readonly registry: RegistryId;
  readonly scope: GuardScope;
  /** Absent where the scope is the source. */
  readonly service?: ServiceKey;
  /** Epoch milliseconds. */
  readonly at: number;
}

/** One thing that a guard decided. Plain JSON, for the journal. Lists of services and ids are sorted. */
export type GuardDecision =
  /** More left than may leave at once: from now on removals are held. Comes again, with the same id, for a guard that was releasing. */
  | (OfScope & { readonly type: "tripped"; readonly id: string; readonly why: TripReason })
  /** More left than may leave at once, and it was believed all the same: the rule accepts it, or the service was scaled to zero. */
  | (OfScope & {
      readonly type: "passed";
      readonly reason: "mode-accept" | "scaled-to-zero";
      readonly why: TripReason;
    })
  /** These left the source and are held. */
  | (OfScope & {
      readonly type: "held";
      readonly id: string;
      readonly endpoints: readonly HeldIds[];
      /** How many the guard holds after this step. */
      readonly remaining: number;
    })
  /** These are no longer held. A guard that holds nothing any more is gone. */
  | (OfScope & {
      readonly type: "released";
      readonly id: string;
      readonly reason: ReleaseReason;
      readonly endpoints: readonly HeldIds[];
      /** How many the guard holds after this step. */
      readonly remaining: number;
      /** Who accepted it; only with the reason `operator`. */
      readonly author?: string;
    })
  /** A person wants the removals held until then, in epoch milliseconds. */
  | (OfScope & { readonly type: "extended"; readonly id: string; readonly until: number; readonly author: string });

/** An endpoint that left its source and is still believed. */
export interface Hold {
  /** Id of the guard that holds it. */
  readonly guard: string;
  readonly scope: GuardScope;
  /** As its source said it last. */
  readonly instance: ServiceInstance;
  /** When it left its source, in epoch milliseconds. */
  readonly since: number;
}

/** A guard that holds something now. Plain JSON. */
export interface GuardStatus {
  readonly id: string;
  readonly registry: RegistryId;
  readonly scope: GuardScope;
  /** Absent where the scope is the source. */
  readonly service?: ServiceKey;
  /** When it tripped, in epoch milliseconds. */
  readonly since: number;
  readonly why: TripReason;
  readonly mode: GuardRule["mode"];
  readonly held: { readonly services: number; readonly endpoints: number };
  /** When it begins to let go by time, in epoch milliseconds; absent: never. */
  readonly holdUntil?: number;
  /** Whether it has begun to. What leaves now is judged anew. */
  readonly releasing: boolean;
  /** How many versions of the source showed the same, and how many must; none where that does not end this hold. */
  readonly versions?: { readonly seen: number; readonly needed: number };
  /** How many endpoints it let go since it tripped, for whatever reason. */
  readonly released: number;
}

/** Thrown for an id that no guard has, or no longer. */
export class NoGuardError extends Error {
  readonly code = "SBX_NO_GUARD";
  readonly id: string;

  constructor(id: string) {
    super(`there is no guard ${id} that holds anything`);
    this.name = "NoGuardError";
    this.id = id;
  }
}
