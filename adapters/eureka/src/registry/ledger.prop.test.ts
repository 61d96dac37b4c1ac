import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { EurekaInstance } from "../client/answer.ts";
import { Ledger } from "./ledger.ts";
import type { Deletion, PeerView } from "./peer.ts";

const policy = { confirmReads: 2, maxShrink: 0.3, holdSeconds: 90 };
const instances = new Map<string, EurekaInstance>(
  ["a", "b", "c", "d", "e"].map((id) => [id, { id, app: "WEB" } as EurekaInstance]),
);

/** What a server may say of five instances: each is listed, deregistered, without a lease, or missing without a word. */
const word = fc.constantFrom("listed", "said", "lapsed", "unheard", "missing") satisfies fc.Arbitrary<Word>;
const words = fc.tuple(word, word, word, word, word);
const seconds = fc.integer({ min: 1, max: 40 });
type Word = "listed" | "missing" | Deletion;
type Words = readonly Word[];

function viewOf(said: Words, tellsDeletions = true): PeerView {
  const keys = [...instances.keys()].map((key, index) => ({ key, word: said[index] }));
  const listed = new Map(
    [...instances].filter(([key]) => keys.some((one) => one.key === key && one.word === "listed")),
  );
  const deleted = new Map(
    keys.flatMap(({ key, word }) =>
      word === undefined || word === "listed" || word === "missing" ? [] : [[key, word]],
    ),
  );
  return { instances: listed, deleted: tellsDeletions ? deleted : new Map(), tellsDeletions, contiguous: true };
}

describe("Ledger", () => {
  it("never lets go of what no server said was deleted before the time is over", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(seconds, words, fc.option(words)), { maxLength: 12 }), (steps) => {
        const ledger = new Ledger(policy);
        const seen = new Map<string, number>();
        const told = new Set<string>();
        let now = 0;
        for (const [pause, main, other] of steps) {
          now += pause * 1000;
          const views = [main, ...(other === null ? [] : [other])].map((said) => viewOf(said));
          const [view, ...others] = views as [PeerView, ...PeerView[]];
          ledger.settle(view, others, now);
          for (const one of views) {
            for (const key of one.instances.keys()) {
              seen.set(key, now);
              told.delete(key);
            }
          }
          for (const one of views) {
            for (const [key, deletion] of one.deleted) if (deletion !== "unheard") told.add(key);
          }
          for (const [key, at] of seen)
            if (!told.has(key) && now - at < policy.holdSeconds * 1000) expect(ledger.held.has(key)).toBe(true);
        }
      }),
      { numRuns: 200 },
    );
  });

  it("holds what the server lists, and nothing else, once the server has said the same for long enough", () => {
    fc.assert(
      fc.property(fc.array(words, { maxLength: 8 }), words, fc.boolean(), (history, last, tells) => {
        const ledger = new Ledger(policy);
        let now = 0;
        const settle = (said: Words): void => {
          now += 5000;
          ledger.settle(viewOf(said, tells), [], now);
        };
        history.forEach(settle);
        for (let round = 0; round < 20; round++) settle(last);
        expect([...ledger.held.keys()].sort()).toEqual([...viewOf(last).instances.keys()].sort());
        expect(ledger.missing).toBe(0);
      }),
      { numRuns: 200 },
    );
  });

  it("keeps instances whose leases ran out together, or unheard, for as long as those without a word", () => {
    const word = fc.constantFrom<Word>("lapsed", "unheard", "missing");
    const round = fc.tuple(seconds, fc.tuple(word, word, word, word, word));
    fc.assert(
      fc.property(fc.array(round, { minLength: 1, maxLength: 12 }), (steps) => {
        const ledger = new Ledger(policy);
        ledger.settle(viewOf(["listed", "listed", "listed", "listed", "listed"]), [], 0);
        let now = 0;
        let since: number | undefined;
        for (const [pause, said] of steps) {
          now += pause * 1000;
          since ??= now;
          // All five are gone, so that any lease that ran out did so among many; one alone may be believed.
          const lone = said.filter((one) => one !== "missing").length === 1;
          ledger.settle(viewOf(lone ? said.map(() => "missing" as const) : said), [], now);
          if (now - since < policy.holdSeconds * 1000) expect(ledger.held.size).toBe(5);
        }
      }),
      { numRuns: 200 },
    );
  });

  it("believes one lease that ran out in the hearing of everybody at once", () => {
    const ledger = new Ledger(policy);
    ledger.settle(viewOf(["listed", "listed", "listed", "listed", "listed"]), [], 0);
    ledger.settle(viewOf(["lapsed", "listed", "listed", "listed", "listed"]), [], 5000);
    expect([...ledger.held.keys()]).toEqual(["b", "c", "d", "e"]);
    // Unheard, it is not believed, also when it is told again until it would be.
    ledger.settle(viewOf(["missing", "unheard", "listed", "listed", "listed"]), [], 10_000);
    ledger.settle(viewOf(["missing", "lapsed", "listed", "listed", "listed"]), [], 15_000);
    expect([...ledger.held.keys()]).toEqual(["b", "c", "d", "e"]);
    // But a deregistration is.
    ledger.settle(viewOf(["missing", "said", "listed", "listed", "listed"]), [], 20_000);
    expect([...ledger.held.keys()]).toEqual(["c", "d", "e"]);
  });

  it("tells changes that lead from what it held to what it holds", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(words, fc.option(words)), { maxLength: 12 }), (steps) => {
        const ledger = new Ledger(policy);
        const folded = new Set<string>();
        let now = 0;
        for (const [main, other] of steps) {
          now += 45_000;
          const others = other === null ? [] : [viewOf(other)];
          for (const { before, now: after } of ledger.settle(viewOf(main), others, now)) {
            if (before !== undefined) expect(folded.delete(before.id)).toBe(true);
            if (after !== undefined) folded.add(after.id);
          }
          expect([...folded].sort()).toEqual([...ledger.held.keys()].sort());
        }
      }),
      { numRuns: 200 },
    );
  });
});
