import { describe, expect, it } from "vitest";
import type { Candidate } from "../candidate.ts";
import { defaultRules } from "../rules.ts";
import type { DriftAction, DriftActions } from "../rules.ts";
import { driftStage, reconcile } from "./stage.ts";
import type { DriftContext } from "./stage.ts";
import { believed, book, candidate, east, instance, nobody, orders, record, workload } from "./testing/world.ts";

const [ready, late, ghost, impostor, waiting] = ["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5"] as const;
const ghosts = ["10.0.1.1", "10.0.1.2", "10.0.1.3", "10.0.1.4"] as const;

/** A truth with a ready workload, one that is not, one with another name, and ghosts. */
function world() {
  const truth = believed();
  truth.update(east, undefined, workload("ready", ready), 0);
  truth.update(east, undefined, workload("late", late, { phase: "NOT_READY" }), 0);
  truth.update(east, undefined, workload("impostor", impostor), 0);
  for (const ip of [ghost, ...ghosts]) {
    truth.listed(book, [], [instance(ip)], 0);
    truth.update(east, undefined, workload(ip, ip), 0);
    truth.update(east, workload(ip, ip), undefined, 10);
  }
  truth.listed(book, [], [instance(waiting)], 0);
  return truth;
}

function all(action: DriftAction): DriftActions {
  return { NOT_READY: action, TERMINATING: action, GHOST: action, IMPOSTOR: action, PORT_MISMATCH: action };
}

function context(more: Partial<DriftContext> = {}): DriftContext {
  return { truth: world(), actions: all("exclude"), service: orders, members: nobody, now: 10, ...more };
}

const pretender: Candidate = candidate(impostor, { instance: instance(impostor, { labels: { podName: "other" } }) });

/** What became of candidates: address, and how. */
function outcome(candidates: readonly Candidate[], keepAtLeast?: number): Record<string, string> {
  const { candidates: after } = driftStage(
    record(...candidates),
    context(keepAtLeast === undefined ? {} : { keepAtLeast }),
  );
  return Object.fromEntries(
    after.map(({ instance: { addresses }, excluded, priority }) => [
      addresses[0].type === "ip" ? addresses[0].ip : "",
      excluded === undefined ? (priority === 0 ? "stays" : "last") : excluded.code,
    ]),
  );
}

describe("the drift stage", () => {
  it.each<{ action: DriftAction; after: Partial<Candidate> }>([
    { action: "report", after: { findings: [{ stage: "drift", code: "GHOST", since: 10 }], priority: 2 } },
    { action: "deprioritise", after: { findings: [{ stage: "drift", code: "GHOST", since: 10 }], priority: 3 } },
    {
      action: "exclude",
      after: {
        findings: [],
        priority: 2,
        excluded: { stage: "drift", code: "GHOST", detail: `east/prod/${ghost}, which had ${ghost}, is gone` },
      },
    },
  ])("does what the rule for the verdict says: $action", ({ action, after }) => {
    const actions = { ...all("report"), GHOST: action };
    const before = candidate(ghost, { priority: 2 });
    const { candidates } = driftStage(record(before), context({ actions }));
    expect(candidates).toEqual([{ ...before, ...after }]);
  });

  it("looks at the rule of each verdict by itself", () => {
    const actions: DriftActions = { ...all("report"), NOT_READY: "deprioritise", IMPOSTOR: "exclude" };
    const { decisions, verdicts } = reconcile(
      record(candidate(ready), candidate(late), candidate(ghost), pretender, candidate(waiting)),
      context({ actions }),
    );
    expect(decisions).toEqual(["none", "deprioritise", "report", "exclude", "none"]);
    expect(verdicts.map(({ verdict }) => verdict)).toEqual([
      "CONFIRMED",
      "NOT_READY",
      "GHOST",
      "IMPOSTOR",
      "UNVERIFIABLE",
    ]);
  });

  it("only reports by default", () => {
    const { decisions } = reconcile(record(candidate(late), pretender), context({ actions: defaultRules.drift }));
    expect(decisions).toEqual(["report", "report"]);
  });

  it("gives a record back itself when nothing is to be done, and says when to look again", () => {
    const before = record(candidate(ready), candidate(waiting), candidate("192.0.2.1"));
    const { record: after, dueAt } = reconcile(before, context());
    expect(after).toBe(before);
    expect(dueAt).toBe(15_000);
    expect(reconcile(record(candidate(ready)), context())).not.toHaveProperty("dueAt");
  });

  it("leaves alone what another stage took out", () => {
    const out = candidate(ghost, { excluded: { stage: "manual", code: "DRAINED", detail: "" } });
    const before = record(out);
    const { record: after, decisions, verdicts } = reconcile(before, context());
    expect([after === before, decisions, verdicts[0]?.verdict]).toEqual([true, ["none"], "GHOST"]);
  });

  it.each<{ name: string; candidates: readonly Candidate[]; keep?: number; after: Record<string, string> }>([
    {
      name: "takes out what it may while something stays",
      candidates: [candidate(ready), candidate(ghost), candidate(late)],
      after: { [ready]: "stays", [ghost]: "GHOST", [late]: "NOT_READY" },
    },
    {
      name: "does not take out the last ones",
      candidates: [candidate(ghost), candidate(ghosts[0])],
      after: { [ghost]: "last", [ghosts[0]]: "last" },
    },
    { name: "takes out a single one", candidates: [candidate(ghost)], after: { [ghost]: "GHOST" } },
    {
      name: "does not count those that another stage took out as staying",
      candidates: [
        candidate(ready, { excluded: { stage: "manual", code: "DRAINED", detail: "" } }),
        candidate(ghost),
        candidate(ghosts[0]),
      ],
      after: { [ready]: "DRAINED", [ghost]: "last", [ghosts[0]]: "last" },
    },
    {
      name: "takes out an impostor although nothing else stays",
      candidates: [pretender, candidate(ghost), candidate(ghosts[0])],
      keep: 1,
      after: { [impostor]: "IMPOSTOR", [ghost]: "last", [ghosts[0]]: "last" },
    },
    {
      name: "takes out impostors only, all of them",
      candidates: [pretender],
      keep: 1,
      after: { [impostor]: "IMPOSTOR" },
    },
    {
      name: "takes out the last ones if it is told so",
      candidates: [candidate(ghost), candidate(ghosts[0])],
      keep: 0,
      after: { [ghost]: "GHOST", [ghosts[0]]: "GHOST" },
    },
    {
      name: "keeps the part that it is told, the mildest and first",
      candidates: [
        candidate(ghosts[3]),
        candidate(ghosts[1]),
        candidate(late),
        candidate(ghosts[0]),
        candidate(ghosts[2]),
      ],
      keep: 0.4,
      after: { [ghosts[3]]: "GHOST", [ghosts[1]]: "GHOST", [late]: "last", [ghosts[0]]: "last", [ghosts[2]]: "GHOST" },
    },
    {
      name: "counts what stays anyway",
      candidates: [candidate(ready), candidate(ghosts[1]), candidate(ghosts[0])],
      keep: 0.34,
      after: { [ready]: "stays", [ghosts[1]]: "GHOST", [ghosts[0]]: "last" },
    },
    {
      name: "rounds up",
      candidates: [candidate(ghosts[1]), candidate(ghosts[0])],
      keep: 0.01,
      after: { [ghosts[1]]: "GHOST", [ghosts[0]]: "last" },
    },
  ])("$name", ({ candidates, keep, after }) => {
    expect(outcome(candidates, keep)).toEqual(after);
    expect(outcome([...candidates].reverse(), keep)).toEqual(after);
  });

  it("does not round up what is a whole number but for the arithmetic", () => {
    const many = Array.from({ length: 30 }, (_, i) => candidate(ghost, { instance: instance(ghost, { id: `${i}` }) }));
    const truth = believed();
    for (const one of many) truth.listed(book, [], [one.instance], 0);
    truth.update(east, undefined, workload("a", ghost), 0);
    truth.update(east, workload("a", ghost), undefined, 10);
    const { decisions } = reconcile(record(...many), context({ truth, keepAtLeast: 0.1 }));
    expect(decisions.filter((decision) => decision === "deprioritise")).toHaveLength(3);
  });
});
