import type { WorkloadKey } from "@signalbox/model";
import type { Verdict } from "../rules.ts";

/** What the workloads say about one endpoint. */
export type DriftVerdict = Verified | Unverified;

interface Said {
  /** For people: `no workload has 10.1.2.3`. */
  readonly detail: string;
  /** When it changes although nothing else does. Epoch milliseconds. */
  readonly dueAt?: number;
  /** The workload that decided. */
  readonly workload?: WorkloadKey;
}

/** They say something. */
export interface Verified extends Said {
  readonly verdict: Exclude<Verdict, "UNVERIFIABLE">;
  /** Since when it is so, as far as is known. Epoch milliseconds. */
  readonly since: number;
}

/** They say nothing, or nothing yet. */
export interface Unverified extends Said {
  readonly verdict: "UNVERIFIABLE";
  /** Since when the endpoint is listed, or its address has no workload; absent where that is not known. Epoch milliseconds. */
  readonly since?: number;
}

const byMildness: readonly Verdict[] = [
  "CONFIRMED",
  "UNVERIFIABLE",
  "NOT_READY",
  "PORT_MISMATCH",
  "TERMINATING",
  "IMPOSTOR",
  "GHOST",
];

/** Orders verdicts: what speaks most for the endpoint comes first. */
export function milder(a: Verdict, b: Verdict): number {
  return byMildness.indexOf(a) - byMildness.indexOf(b);
}

/** The mildest verdict, of equal ones the first, with the soonest time at which it may be another one. */
export function mildest(verdicts: readonly [DriftVerdict, ...DriftVerdict[]]): DriftVerdict {
  const [first, ...rest] = verdicts;
  const best = rest.reduce((one, other) => (milder(other.verdict, one.verdict) < 0 ? other : one), first);
  // What time does to the others does not show.
  if (best.verdict !== "UNVERIFIABLE") return best;
  const dueAt = nextDue(verdicts);
  return dueAt === best.dueAt || dueAt === undefined ? best : { ...best, dueAt };
}

/** When the first of these verdicts changes although nothing else does; `undefined` where none does. */
export function nextDue(verdicts: readonly DriftVerdict[]): number | undefined {
  return verdicts.reduce<number | undefined>(
    (soonest, { dueAt }) => (dueAt === undefined || (soonest !== undefined && soonest <= dueAt) ? soonest : dueAt),
    undefined,
  );
}
