import type { ServiceKey } from "@signalbox/model";
import type { RampState, Share } from "@signalbox/policy";

/** What a ramp did by itself. `DROPPED`: its rule is gone, or it ended and nobody knows its service any more. */
export type RampChange = "STARTED" | "STEP" | "HELD" | "RELEASED" | "DROPPED";

/** How far the ramp of a service is, to be kept over restarts. Plain JSON. */
export interface SavedRamp {
  readonly service: ServiceKey;
  /** The shares that are in force. A rule that has them nowhere is another ramp, which begins anew. */
  readonly shares: readonly Share[];
  readonly state: RampState;
}

/** The ramp of a service, for people. */
export interface RampStatus {
  readonly service: ServiceKey;
  /** `HELD`: gates fail, so that no step is taken. `DONE`: at the last step. */
  readonly state: "RUNNING" | "HELD" | "DONE" | "ROLLED_BACK";
  /** The step that is in force, counted from 0, and how many there are. */
  readonly step: number;
  readonly steps: number;
  readonly shares: readonly Share[];
  /** Since when it is in this state and at this step, in epoch milliseconds; absent before the time of the first step. */
  readonly since?: number;
  /** When the next step is due, in epoch milliseconds; absent where none is, or where it is overdue. */
  readonly nextAt?: number;
  /** Why no step is taken, for people. */
  readonly detail?: string;
}

/** Thrown when a service has no ramp. */
export class NoRampError extends Error {
  readonly code = "SBX_NO_RAMP";
  readonly service: ServiceKey;

  constructor(service: ServiceKey) {
    super(`${service} has no ramp`);
    this.name = "NoRampError";
    this.service = service;
  }
}
