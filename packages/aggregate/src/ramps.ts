import type { RegistryId, ServiceKey } from "@signalbox/model";
import {
  observeRamp,
  rampAt,
  resume,
  rollback,
  startRamp,
  type CandidateRecord,
  type MergeRule,
  type RampReading,
  type RampRule,
  type RampState,
  type Share,
} from "@signalbox/policy";
import type { Logger } from "@signalbox/registry";
import type { AggregateInput } from "./input.ts";
import type { CatalogRules } from "./options.ts";
import { NoRampError } from "./ramp-status.ts";
import type { RampChange, RampStatus, SavedRamp } from "./ramp-status.ts";

/** What ramps work with. */
export interface RampsOptions {
  readonly rules: Pick<CatalogRules, "of">;
  readonly logger: Logger;
  /** How far ramps were before a restart. */
  readonly saved: readonly SavedRamp[];
  /** The registries that are in trouble, and how. */
  problems(): ReadonlyMap<RegistryId, string>;
  /** Told of what people did to ramps, and what these did by themselves. */
  onInput(input: AggregateInput): void;
}

interface Known {
  readonly state: RampState;
  readonly shares: readonly Share[];
  readonly reading?: Pick<RampReading, "holding" | "nextAt">;
}

/** How far the ramps of services are. A ramp begins when its service is first seen. */
export class Ramps {
  readonly #options: RampsOptions;
  readonly #known = new Map<ServiceKey, Known>();

  constructor(options: RampsOptions) {
    this.#options = options;
    for (const { service, shares, state } of options.saved) {
      if (options.rules.of(service).ramp !== undefined) this.#known.set(service, { shares, state });
    }
  }

  /**
   * The merge rule of a service at this moment, and when to ask again if nothing changes before. A ramp that may take its next step
   * takes it. `records`: what the stages before the merge left. `now` in epoch milliseconds.
   */
  take(
    key: ServiceKey,
    records: readonly CandidateRecord[],
    now: number,
  ): { readonly rule: MergeRule; readonly dueAt: number | undefined } {
    const { merge, ramp } = this.#options.rules.of(key);
    const before = ramp && this.#stateOf(key, ramp);
    if (ramp === undefined || (records.length === 0 && before === undefined)) {
      this.#drop(key, now);
      return { rule: merge, dueAt: undefined };
    }
    const state = before ?? startRamp(ramp, now);
    const observed = observeRamp(sharesAt(ramp, state), records, this.#options.problems());
    const reading = rampAt(ramp, state, now, observed);
    this.#keep(key, reading);
    if (before === undefined) this.#tell(key, "STARTED", { state }, now);
    const change = changeOf(state, reading.state);
    if (change !== undefined) this.#tell(key, change, reading, now);
    if (records.length === 0 && isOver(ramp, reading.state)) this.#drop(key, now);
    return { rule: splitOf(ramp, reading.shares), dueAt: reading.nextAt };
  }

  /** The merge rule that is in force, without a step. */
  ruleOf(key: ServiceKey, now: number): MergeRule {
    const { merge, ramp } = this.#options.rules.of(key);
    if (ramp === undefined) return merge;
    return splitOf(ramp, sharesAt(ramp, this.#stateOf(key, ramp) ?? startRamp(ramp, now)));
  }

  /** The services whose ramps have begun. */
  services(): Iterable<ServiceKey> {
    return [...this.#known.keys()];
  }

  /** How far all ramps are, to be kept. */
  saved(): readonly SavedRamp[] {
    return [...this.#known].map(([service, { shares, state }]) => ({ service, shares, state }));
  }

  /** How far the ramp of a service is; undefined where there is none, or it has not begun. */
  status(key: ServiceKey, now: number): RampStatus | undefined {
    const { ramp } = this.#options.rules.of(key);
    const state = ramp && this.#stateOf(key, ramp);
    if (ramp === undefined || state === undefined) return undefined;
    const { holding, nextAt } = this.#known.get(key)?.reading ?? {};
    const since = state.rolledBack?.at ?? state.heldSince ?? state.enteredAt;
    return {
      service: key,
      state: nameOf(ramp, state),
      step: state.step,
      steps: ramp.steps.length,
      shares: sharesAt(ramp, state),
      ...(since <= now && { since }),
      ...(nextAt !== undefined && nextAt > now && { nextAt }),
      ...(holding !== undefined && { detail: holding }),
    };
  }

  /** Takes back the last step of a ramp, which then stays there. Throws a NoRampError. */
  rollback(key: ServiceKey, author: string, now: number): void {
    const { ramp, state } = this.#get(key, now);
    this.#put(key, ramp, rollback(state, now));
    this.#options.logger.warn("ramp-rolled-back", { service: key, from: state.step + 1, author });
    this.#options.onInput({ at: now, type: "ramp", service: key, action: "rollback", author });
  }

  /** Lets a ramp go on that was rolled back; any other one stays as it is. Throws a NoRampError. */
  resume(key: ServiceKey, author: string, now: number): void {
    const { ramp, state } = this.#get(key, now);
    if (state.rolledBack === undefined) return;
    this.#put(key, ramp, resume(state, now));
    this.#options.logger.info("ramp-resumed", { service: key, step: state.step + 1, author });
    this.#options.onInput({ at: now, type: "ramp", service: key, action: "resume", author });
  }

  /** Forgets ramps whose rules are gone. */
  prune(now: number): void {
    for (const key of this.services()) if (this.#options.rules.of(key).ramp === undefined) this.#drop(key, now);
  }

  #get(key: ServiceKey, now: number): { readonly ramp: RampRule; readonly state: RampState } {
    const { ramp } = this.#options.rules.of(key);
    if (ramp === undefined) throw new NoRampError(key);
    return { ramp, state: this.#stateOf(key, ramp) ?? startRamp(ramp, now) };
  }

  /** The state under the rule as it is now: the step is where its shares are. */
  #stateOf(key: ServiceKey, ramp: RampRule): RampState | undefined {
    const known = this.#known.get(key);
    if (known === undefined) return undefined;
    const { shares, state } = known;
    const there = ramp.steps[state.step];
    if (there !== undefined && sameShares(there.shares, shares)) return state;
    const step = ramp.steps.findIndex((one) => sameShares(one.shares, shares));
    return step < 0 ? undefined : { ...state, step };
  }

  #put(key: ServiceKey, ramp: RampRule, state: RampState): void {
    this.#known.set(key, {
      state,
      shares: sharesAt(ramp, state),
      ...(state.rolledBack && { reading: { holding: `step ${state.rolledBack.from + 1} was rolled back` } }),
    });
  }

  #keep(key: ServiceKey, { holding, nextAt, shares, state }: RampReading): void {
    const reading = { ...(holding !== undefined && { holding }), ...(nextAt !== undefined && { nextAt }) };
    this.#known.set(key, { state, shares, reading });
  }

  #drop(key: ServiceKey, now: number): void {
    const known = this.#known.get(key);
    if (known === undefined) return;
    this.#known.delete(key);
    const { state } = known;
    this.#options.onInput({ at: now, type: "ramp-state", service: key, change: "DROPPED", state });
  }

  #tell(
    service: ServiceKey,
    change: RampChange,
    { holding, state }: Pick<RampReading, "holding" | "state">,
    at: number,
  ): void {
    const { logger } = this.#options;
    // People count from 1.
    const step = state.step + 1;
    if (change === "STARTED") logger.info("ramp-started", { service, step });
    else if (change === "STEP") logger.info("ramp-step", { service, step });
    else if (change === "HELD") logger.warn("ramp-held", { service, step, why: holding });
    else if (change === "RELEASED") logger.info("ramp-released", { service, step });
    const why = holding !== undefined && { why: holding };
    this.#options.onInput({ at, type: "ramp-state", service, change, state, ...why });
  }
}

/** Nothing is lost with a ramp that is at its end: the times of its steps say as much. */
function isOver({ steps }: RampRule, { rolledBack, step }: RampState): boolean {
  return step === steps.length - 1 && rolledBack === undefined;
}

function changeOf(before: RampState, after: RampState): RampChange | undefined {
  if (before === after) return undefined;
  if (before.step !== after.step) return "STEP";
  return after.heldSince === undefined ? "RELEASED" : "HELD";
}

function nameOf({ steps }: RampRule, { heldSince, rolledBack, step }: RampState): RampStatus["state"] {
  if (rolledBack !== undefined) return "ROLLED_BACK";
  if (step === steps.length - 1) return "DONE";
  return heldSince === undefined ? "RUNNING" : "HELD";
}

function splitOf({ onEmpty }: RampRule, shares: readonly Share[]): MergeRule {
  return { type: "split", shares, onEmpty };
}

function sharesAt({ steps }: RampRule, { step }: RampState): readonly Share[] {
  return (steps[step] ?? steps.at(-1))?.shares ?? [];
}

function sameShares(one: readonly Share[], other: readonly Share[]): boolean {
  return (
    one.length === other.length &&
    one.every(({ registry, weight }, index) => other[index]?.registry === registry && other[index].weight === weight)
  );
}
