import { byCodeUnit, instanceKey } from "@signalbox/model";
import { exclude, withFinding } from "../candidate.ts";
import type { Candidate, CandidateRecord } from "../candidate.ts";
import type { DriftAction, DriftActions } from "../rules.ts";
import type { DriftService } from "./belonging.ts";
import type { DriftMembers } from "./members.ts";
import type { DriftTruth } from "./truth.ts";
import { milder, nextDue } from "./verdict.ts";
import type { DriftVerdict } from "./verdict.ts";

/** What the drift stage needs beside the record. */
export interface DriftContext {
  readonly truth: DriftTruth;
  readonly actions: DriftActions;
  /** The service of the catalog that the record became. */
  readonly service: DriftService;
  readonly members: DriftMembers;
  /** Epoch milliseconds. */
  readonly now: number;
  /**
   * The part of the record's candidates, 0..1, that exclusion leaves: those above it are deprioritised instead. Impostors do not count;
   * they are another service's. Without it, exclusion may leave any number but none: where nothing would be left of
   * several candidates, it is more likely that the truth is wrong, and all are deprioritised. With 0 it may leave none.
   */
  readonly keepAtLeast?: number;
}

/** What was done because of a verdict; `none` is nothing. */
export type DriftDecision = DriftAction | "none";

/** What the stage made of a record. */
export interface Reconciliation {
  readonly record: CandidateRecord;
  /** One for each candidate, in their order. */
  readonly verdicts: readonly DriftVerdict[];
  /** One for each candidate, in their order. */
  readonly decisions: readonly DriftDecision[];
  /** When to do it again although nothing changed. Epoch milliseconds. */
  readonly dueAt?: number;
}

/**
 * Acts on what the workloads say about the endpoints of a record. Pure. A candidate that another stage took out keeps its reason, and
 * one that is confirmed or cannot be verified is left as it is. A record of which nothing changes comes back itself.
 */
export function driftStage(record: CandidateRecord, context: DriftContext): CandidateRecord {
  return reconcile(record, context).record;
}

/** The drift stage with what it saw, for reports and for the time at which it must run again. */
export function reconcile(record: CandidateRecord, context: DriftContext): Reconciliation {
  const { actions, keepAtLeast, members, now, service, truth } = context;
  const verdicts = record.candidates.map(({ instance }) =>
    truth.verdict(instance, record.registry, service, members, now),
  );
  const judged = record.candidates.map((candidate, index): Judged => {
    const verdict = verdicts[index];
    if (verdict === undefined) throw new Error("a candidate without a verdict");
    return { candidate, verdict, decision: decide(candidate, verdict, actions) };
  });
  spare(judged, keepAtLeast);
  const isChanged = judged.some(({ decision }) => decision !== "none");
  const dueAt = nextDue(verdicts);
  return {
    record: isChanged ? { ...record, candidates: judged.map(act) } : record,
    verdicts,
    decisions: judged.map(({ decision }) => decision),
    ...(dueAt !== undefined && { dueAt }),
  };
}

interface Judged {
  readonly candidate: Candidate;
  readonly verdict: DriftVerdict;
  decision: DriftDecision;
}

function decide({ excluded }: Candidate, { verdict }: DriftVerdict, actions: DriftActions): DriftDecision {
  return excluded !== undefined || verdict === "CONFIRMED" || verdict === "UNVERIFIABLE" ? "none" : actions[verdict];
}

/** Makes of the exclusions that are too many what comes last; of those the mildest, so that the choice does not depend on the order. */
function spare(judged: readonly Judged[], keepAtLeast: number | undefined): void {
  const own = judged.filter(({ candidate, verdict }) => !candidate.excluded && verdict.verdict !== "IMPOSTOR");
  const out = own.filter(({ decision }) => decision === "exclude");
  const left = own.length - out.length;
  const spared =
    keepAtLeast === undefined
      ? left === 0 && out.length > 1
        ? out.length
        : 0
      : Math.max(0, atLeast(keepAtLeast, own.length) - left);
  for (const one of out.sort(bySparing).slice(0, spared)) one.decision = "deprioritise";
}

function bySparing(a: Judged, b: Judged): number {
  return milder(a.verdict.verdict, b.verdict.verdict) || byCodeUnit(identityOf(a), identityOf(b));
}

function identityOf({ candidate: { instance } }: Judged): string {
  return `${instanceKey(instance.addresses[0])}\0${instance.servicePort}\0${instance.id}`;
}

function act({ candidate, decision, verdict: said }: Judged): Candidate {
  if (decision === "none" || said.verdict === "UNVERIFIABLE") return candidate;
  const { detail, since, verdict } = said;
  if (decision === "exclude") return exclude(candidate, "drift", verdict, detail);
  const noted = withFinding(candidate, "drift", verdict, since);
  return decision === "deprioritise" ? { ...noted, priority: candidate.priority + 1 } : noted;
}

/** Of 30 a tenth is 3, although the product is a little more. */
function atLeast(share: number, count: number): number {
  return Math.ceil(Math.min(1, share) * count - 1e-9);
}
