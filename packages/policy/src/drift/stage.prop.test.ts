import { byCodeUnit } from "@signalbox/model";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Candidate } from "../candidate.ts";
import type { DriftAction } from "../rules.ts";
import { reconcile } from "./stage.ts";
import { believed, book, candidate, east, instance, nobody, orders, record, workload } from "./testing/world.ts";

const anyAction = fc.constantFrom<DriftAction>("report", "deprioritise", "exclude");
const anyActions = fc.record({
  NOT_READY: anyAction,
  TERMINATING: anyAction,
  GHOST: anyAction,
  IMPOSTOR: anyAction,
  PORT_MISMATCH: anyAction,
});
const kinds = ["CONFIRMED", "NOT_READY", "TERMINATING", "GHOST", "IMPOSTOR", "PORT_MISMATCH", "UNVERIFIABLE"] as const;
const anyKinds = fc.array(fc.record({ kind: fc.constantFrom(...kinds), isOut: fc.boolean() }), { maxLength: 12 });
const anyShare = fc.option(fc.double({ min: 0, max: 1, noNaN: true }), { nil: undefined });

/** A truth and candidates of which it says these things. */
function world(wanted: readonly { readonly kind: (typeof kinds)[number]; readonly isOut: boolean }[]) {
  const truth = believed();
  const candidates = wanted.map(({ kind, isOut }, i): Candidate => {
    const ip = kind === "UNVERIFIABLE" ? `192.0.2.${i}` : `10.0.0.${i}`;
    const more = kind === "IMPOSTOR" ? { labels: { podName: "other" } } : {};
    const one = instance(ip, more);
    const phase = kind === "NOT_READY" || kind === "TERMINATING" ? kind : "READY";
    truth.listed(book, [], [one], 0);
    truth.update(east, undefined, workload(`w${i}`, ip, { phase, ports: [kind === "PORT_MISMATCH" ? 1 : 8080] }), 0);
    if (kind === "GHOST") truth.update(east, workload(`w${i}`, ip), undefined, 1);
    const excluded = { stage: "manual", code: "DRAINED", detail: "" } as const;
    return candidate(ip, { instance: one, ...(isOut && { excluded }) });
  });
  return { truth, candidates };
}

describe("the drift stage, whatever the workloads say", () => {
  it("takes out every impostor that the rules let it, and of the others never too many", () => {
    fc.assert(
      fc.property(anyKinds, anyActions, anyShare, (wanted, actions, keepAtLeast) => {
        const { truth, candidates } = world(wanted);
        const context = { truth, actions, service: orders, members: nobody, now: 1 };
        const {
          record: after,
          decisions,
          verdicts,
        } = reconcile(record(...candidates), {
          ...context,
          ...(keepAtLeast !== undefined && { keepAtLeast }),
        });
        expect(verdicts.map(({ verdict }) => verdict)).toEqual(wanted.map(({ kind }) => kind));
        const own = wanted.flatMap(({ kind, isOut }, i) => (isOut ? [] : [{ kind, decision: decisions[i] }]));
        for (const { kind, decision } of own) {
          const rule = kind === "CONFIRMED" || kind === "UNVERIFIABLE" ? "none" : actions[kind];
          const isSpared = rule === "exclude" && kind !== "IMPOSTOR" && decision === "deprioritise";
          if (!isSpared) expect(decision).toBe(rule);
        }
        const others = own.filter(({ kind }) => kind !== "IMPOSTOR");
        const stay = others.filter(({ decision }) => decision !== "exclude").length;
        if (keepAtLeast !== undefined) expect(stay).toBeGreaterThanOrEqual(keepAtLeast * others.length - 1e-9);
        else if (others.length > 1) expect(stay).toBeGreaterThan(0);
        for (const [i, one] of after.candidates.entries()) {
          if (wanted[i]?.isOut === true || decisions[i] === "none") expect(one).toBe(candidates[i]);
        }
      }),
      { numRuns: 300 },
    );
  });

  it("decides the same for each candidate whatever their order", () => {
    fc.assert(
      fc.property(
        anyKinds,
        anyActions,
        anyShare,
        fc.array(fc.nat(), { minLength: 12, maxLength: 12 }),
        (wanted, actions, keepAtLeast, dice) => {
          const { truth, candidates } = world(wanted);
          const shuffled = candidates
            .map((one, i) => ({ one, by: dice[i] ?? 0 }))
            .sort((a, b) => a.by - b.by)
            .map(({ one }) => one);
          const [first, second] = [candidates, shuffled].map((all) =>
            reconcile(record(...all), {
              ...{ truth, actions, service: orders, members: nobody, now: 1 },
              ...(keepAtLeast !== undefined && { keepAtLeast }),
            }).record.candidates.toSorted((a, b) => byCodeUnit(a.instance.id, b.instance.id)),
          );
          expect(second).toEqual(first);
        },
      ),
      { numRuns: 300 },
    );
  });
});
