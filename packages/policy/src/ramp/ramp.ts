import type { Share } from "../merge-rule.ts";
import { failingGates } from "./gates.ts";
import type { RampGates, RampObservation } from "./gates.ts";

/** From when which shares are to hold. */
export interface RampStep {
  /** Epoch milliseconds: an absolute time, so that all replicas take the step together. */
  readonly at: number;
  readonly shares: readonly Share[];
}

/** A migration: a split whose shares change over time, one step after the other, as long as all is well. */
export interface RampRule {
  /** At least one, by time. The shares of the first hold before its time too. */
  readonly steps: readonly RampStep[];
  readonly gates: RampGates;
  /** What becomes of the share of a group that has no eligible endpoints, as in a split. */
  readonly onEmpty: "spill" | "blackhole";
}

/** How far a ramp is. Plain JSON, to be kept over restarts and given to other replicas: they cannot know of holds otherwise. */
export interface RampState {
  /** The place of the step that is in force. */
  readonly step: number;
  /** When it counts as entered, in epoch milliseconds: the next step comes as long after that as it is planned to come after this one. */
  readonly enteredAt: number;
  /** Since when gates fail, in epoch milliseconds. */
  readonly heldSince?: number;
  /** Set from a rollback until it is resumed. `from` is the step that was in force, `at` is in epoch milliseconds. */
  readonly rolledBack?: { readonly from: number; readonly at: number };
}

/** What a ramp says at a moment. */
export interface RampReading {
  /** What the split's shares are to be. */
  readonly shares: readonly Share[];
  readonly step: number;
  /** Why no further step is taken, for people, who count steps from 1; absent where nothing holds, and after the last step. */
  readonly holding?: string;
  /**
   * When to read again, in epoch milliseconds, if nothing changes before; not after `now` means at once. Absent where only a change
   * of what is observed, or a person, can move the ramp.
   */
  readonly nextAt?: number;
  /** To be kept, and given to the next reading. The same object as before where nothing changed. */
  readonly state: RampState;
}

/**
 * Where a ramp is that nothing is known of: at the step that its times say, whatever the gates. So a replica that begins
 * late, or one that lost its state, does not send the traffic of a finished migration back to where it came from.
 */
export function startRamp(rule: RampRule, now: number): RampState {
  const due = rule.steps.filter(({ at }) => at <= now).length;
  const step = Math.max(0, due - 1);
  return { step, enteredAt: stepAt(rule, step).at };
}

/**
 * Reads a ramp at `now`. Pure. At most one step is taken, forward: when it is due and all gates hold. A due step whose
 * gates fail is taken once they hold again, and moves the rest of the ramp by as much as it was late, so that each step has the time
 * that was planned for it. A step that is only late because nobody read the ramp moves nothing.
 *
 * Steps after the current one may be changed at any time; a state beyond the last step is at the last. Throws a TypeError
 * for a rule without steps.
 */
export function rampAt(
  rule: RampRule,
  known: RampState | undefined,
  now: number,
  observed: RampObservation,
): RampReading {
  const state = within(rule, known ?? startRamp(rule, now));
  const { shares } = stepAt(rule, state.step);
  const { step } = state;
  if (state.rolledBack !== undefined) {
    return { shares, step, holding: `step ${state.rolledBack.from + 1} was rolled back`, state };
  }
  const due = dueAt(rule, state);
  if (due === undefined) return { shares, step, state: released(state) };
  const failing = failingGates(rule, observed);
  if (failing.length > 0) {
    const held = state.heldSince === undefined ? { ...state, heldSince: now } : state;
    return { shares, step, holding: failing.join("; "), ...(due > now && { nextAt: due }), state: held };
  }
  if (due > now) return { shares, step, nextAt: due, state: released(state) };
  // Gates that failed when the step was due made it late; a hold that was over by then, or nobody's reading, did not.
  const enteredAt = state.heldSince === undefined ? due : now;
  const next: RampState = { step: step + 1, enteredAt };
  const then = dueAt(rule, next);
  return {
    shares: stepAt(rule, next.step).shares,
    step: next.step,
    ...(then !== undefined && { nextAt: then }),
    state: next,
  };
}

/** Takes back the last step, at once. The ramp stays there until it is resumed. A ramp at its first step only stops. */
export function rollback(state: RampState, now: number): RampState {
  return {
    step: Math.max(0, state.step - 1),
    enteredAt: now,
    rolledBack: { from: state.rolledBack?.from ?? state.step, at: now },
  };
}

/** Lets a ramp go on that was rolled back: its step begins anew, so the next one comes after the whole time between the two. */
export function resume(state: RampState, now: number): RampState {
  return state.rolledBack === undefined ? state : { step: state.step, enteredAt: now };
}

/** When the step after the current one is due, never before its own time; undefined where there is none. */
function dueAt({ steps }: RampRule, { enteredAt, step }: RampState): number | undefined {
  const [current, next] = [steps[step], steps[step + 1]];
  return current === undefined || next === undefined ? undefined : Math.max(next.at, enteredAt + next.at - current.at);
}

function stepAt({ steps }: RampRule, step: number): RampStep {
  const found = steps[step];
  if (found === undefined) throw new TypeError("a ramp has at least one step");
  return found;
}

function within({ steps }: RampRule, state: RampState): RampState {
  return state.step < steps.length ? state : { ...state, step: steps.length - 1 };
}

function released(state: RampState): RampState {
  const { heldSince, ...rest } = state;
  return heldSince === undefined ? state : rest;
}
