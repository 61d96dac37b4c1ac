import type { RegistryId } from "@signalbox/model";
import { deepFreeze } from "@signalbox/model";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { RampObservation } from "./gates.ts";
import { rampAt, resume, rollback, startRamp } from "./ramp.ts";
import type { RampRule, RampState } from "./ramp.ts";

const anyRule = fc.uniqueArray(fc.nat(1000), { minLength: 1, maxLength: 6 }).map((times): RampRule => ({
  steps: times.sort((a, b) => a - b).map((at, step) => ({ at, shares: [{ registry: "fake/one", weight: step }] })),
  gates: { maxGhosts: 0.5 },
  onEmpty: "spill",
}));
const read = fc.record({ type: fc.constant("read" as const), now: fc.nat(1200), well: fc.boolean() });
const anyEvents = fc
  .array(
    fc.oneof(
      { weight: 8, arbitrary: read },
      fc.record({ type: fc.constantFrom("rollback", "resume"), now: fc.nat(1200) }),
    ),
    {
      maxLength: 40,
    },
  )
  .map((events) => [...events].sort((a, b) => a.now - b.now));

const observed = (well: boolean): RampObservation => ({
  ghosts: well ? 0 : 1,
  eligible: new Map<RegistryId, number>(),
  problems: new Map<RegistryId, string>(),
});

/** Reads until nothing more is due. */
function settled(rule: RampRule, known: RampState | undefined, now: number): RampState {
  let reading = rampAt(rule, known, now, observed(true));
  while (reading.nextAt !== undefined && reading.nextAt <= now)
    reading = rampAt(rule, reading.state, now, observed(true));
  return reading.state;
}

describe("any ramp", () => {
  it("never goes back by itself, never skips a step, and takes none while a gate fails or it is rolled back", () => {
    fc.assert(
      fc.property(anyRule, anyEvents, (rule, events) => {
        let state = startRamp(rule, 0);
        for (const event of events) {
          const before = state;
          if (event.type === "rollback") state = rollback(before, event.now);
          else if (event.type === "resume") state = resume(before, event.now);
          else {
            const reading = rampAt(rule, before, event.now, observed("well" in event && event.well));
            state = reading.state;
            const taken = state.step - before.step;
            expect([0, 1]).toContain(taken);
            if (!("well" in event && event.well) || before.rolledBack !== undefined) expect(taken).toBe(0);
            expect(reading.shares).toBe(rule.steps[state.step]?.shares);
            expect(state.rolledBack).toEqual(before.rolledBack);
            if (taken === 1) expect(event.now).toBeGreaterThanOrEqual(rule.steps[state.step]?.at ?? Number.NaN);
          }
        }
      }),
      { numRuns: 500 },
    );
  });

  it("says the same of the same, also after its state was written and read, and changes nothing that it is given", () => {
    fc.assert(
      fc.property(anyRule, anyEvents, fc.nat(1200), fc.boolean(), (rule, events, now, well) => {
        deepFreeze(rule);
        let state = startRamp(rule, 0);
        for (const event of events)
          state =
            event.type === "rollback"
              ? rollback(deepFreeze(state), event.now)
              : rampAt(rule, deepFreeze(state), event.now, observed("well" in event && event.well)).state;
        const first = rampAt(rule, state, now, observed(well));
        const again = rampAt(rule, JSON.parse(JSON.stringify(state)) as RampState, now, observed(well));
        expect(again).toEqual(first);
      }),
    );
  });

  it("is equally far at the same time however often it was read, where gates hold", () => {
    fc.assert(
      fc.property(anyRule, fc.array(fc.nat(1200)), fc.nat(1200), (rule, times, end) => {
        let state: RampState | undefined;
        for (const now of times.filter((time) => time <= end).sort((a, b) => a - b))
          state = rampAt(rule, state, now, observed(true)).state;
        expect(settled(rule, state, end)).toEqual(startRamp(rule, end));
      }),
    );
  });

  it("gives each step the time that was planned for it, whatever held it", () => {
    fc.assert(
      fc.property(anyRule, fc.array(fc.boolean(), { minLength: 1300, maxLength: 1300 }), (rule, wells) => {
        let state = startRamp(rule, 0);
        let entered = Math.min(0, rule.steps[0]?.at ?? 0);
        for (const [now, well] of wells.entries()) {
          const { step } = state;
          ({ state } = rampAt(rule, state, now, observed(well)));
          if (state.step === step) continue;
          const [from, to] = [rule.steps[step]?.at ?? 0, rule.steps[state.step]?.at ?? 0];
          expect(now - entered).toBeGreaterThanOrEqual(step === 0 ? 0 : to - from);
          expect(now).toBeGreaterThanOrEqual(to);
          entered = now;
        }
      }),
      { numRuns: 50 },
    );
  });
});
