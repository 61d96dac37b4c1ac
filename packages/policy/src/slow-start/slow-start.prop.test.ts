import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { candidates, eureka, instance, keyOf, record } from "../testing/world.ts";
import { SlowStart, type SlowStartRule } from "./slow-start.ts";

const orders = keyOf("orders");
const begin = 1_800_000_000_123;
const rules: fc.Arbitrary<SlowStartRule> = fc.record({
  overMs: fc.integer({ min: 1, max: 600_000 }),
  steps: fc.integer({ min: 1, max: 20 }),
  flapMs: fc.integer({ min: 0, max: 60_000 }),
});
/** Which of five endpoints are there, after which time. */
const history = fc.array(
  fc.record({ wait: fc.integer({ min: 0, max: 120_000 }), there: fc.uniqueArray(fc.integer({ min: 1, max: 5 })) }),
  { maxLength: 20 },
);
const recordsOf = (there: readonly number[]) =>
  there.length === 0 ? [] : [candidates(record(eureka, ...there.map((one) => instance(eureka, `192.0.2.${one}`))))];
const weightsOf = (taken: ReturnType<SlowStart["take"]>) =>
  taken.records.flatMap((one) => one.candidates.map((candidate) => candidate.instance.weight));

describe("slow starts", () => {
  it("give every endpoint a weight above 0 and at most its own beside the others, and change at due times alone", () => {
    fc.assert(
      fc.property(rules, history, (rule, steps) => {
        const slowStart = new SlowStart();
        let now = begin;
        for (const { there, wait } of steps) {
          now += wait;
          const taken = slowStart.take(orders, rule, recordsOf(there), now);
          const weights = weightsOf(taken);
          expect(weights.every((weight) => Number.isInteger(weight) && weight >= 1)).toBe(true);
          expect(Math.max(0, ...weights)).toBeLessThanOrEqual(rule.steps + 1);
          expect(taken.dueAt === undefined || taken.dueAt > now).toBe(true);
          // Nothing happens before the time that was said.
          const just = taken.dueAt === undefined ? now + 10_000_000 : taken.dueAt - 1;
          if (there.length > 0)
            expect(weightsOf(slowStart.take(orders, rule, recordsOf(there), just))).toEqual(weights);
          now = Math.max(now, just);
        }
      }),
    );
  });

  it("are over after their time and a step, in at most as many changes as there are steps", () => {
    fc.assert(
      fc.property(rules, fc.integer({ min: 2, max: 5 }), (rule, count) => {
        const slowStart = new SlowStart();
        slowStart.take(orders, rule, recordsOf([1]), begin - 10_000_000);
        const there = Array.from({ length: count }, (_, index) => index + 1);
        let taken = slowStart.take(orders, rule, recordsOf(there), begin);
        let changes = 0;
        let now = begin;
        while (taken.dueAt !== undefined) {
          const before = weightsOf(taken).join();
          now = taken.dueAt;
          taken = slowStart.take(orders, rule, recordsOf(there), now);
          if (weightsOf(taken).join() !== before) changes++;
        }
        expect(changes).toBeLessThanOrEqual(rule.steps);
        expect(new Set(weightsOf(taken)).size).toBe(1);
        const length = Math.ceil(rule.overMs / rule.steps);
        expect(now - begin).toBeLessThanOrEqual((rule.steps + 1) * length);
      }),
    );
  });

  it("say the same after a restart at any moment", () => {
    fc.assert(
      fc.property(rules, history, fc.nat(20), (rule, steps, restart) => {
        const kept = new SlowStart();
        let other = new SlowStart();
        let now = begin;
        for (const one of [kept, other]) one.take(orders, rule, recordsOf([1]), now);
        let listed: readonly number[] = [1];
        for (const [index, { there, wait }] of steps.entries()) {
          // The service itself stays, so that who comes is new to both.
          const next = [...new Set([1, ...there])];
          now += wait;
          if (index === restart) {
            other = new SlowStart(other.saved(now));
            other.take(orders, rule, recordsOf(listed), now);
            kept.take(orders, rule, recordsOf(listed), now);
          }
          listed = next;
          expect(other.take(orders, rule, recordsOf(next), now).records).toEqual(
            kept.take(orders, rule, recordsOf(next), now).records,
          );
        }
      }),
    );
  });
});
