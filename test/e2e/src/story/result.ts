import type { Replayed } from "./replaying.ts";

/** What callers saw of one step. */
export interface StepRow {
  /** The step's letter, and what happens in it. */
  readonly step: string;
  /** What they call through. */
  readonly through: "Signalbox" | "a cached list";
  readonly sent: number;
  /** Calls without a good answer that were sent before the change had come to Envoy, or to the client's list. */
  readonly failedBefore: number;
  /** Calls without a good answer that were sent later. */
  readonly failedAfter: number;
  /** Good answers of another service. */
  readonly misrouted: number;
  /** Milliseconds from the change to Envoy's having it, where there is something to have. */
  readonly pushMs?: number;
  /** The part of the requests, in per cent, that went to the cluster's pods. */
  readonly share?: { readonly planned: number; readonly measured: number };
}

/** What the daemon said of one endpoint after a step. */
export interface Explained {
  readonly step: string;
  readonly address: string;
  readonly expected: string;
  readonly said: string;
}

/** All that came of it. */
export interface StoryResult {
  readonly rows: readonly StepRow[];
  readonly explained: readonly Explained[];
  /** Responses that Envoy refused. */
  readonly nacks: number;
  /** Changes of Envoy's endpoints while Eureka was empty and came back. */
  readonly changesByEmptyEureka: number;
  /** The journal of all of it, played again. */
  readonly replayed: Replayed;
}

/** How many points a share may be off the plan. */
const tolerance = 2;
/** Milliseconds that the deletion of a pod may take to Envoy. */
const promptMs = 200;
/** A busy machine that runs other tests too may take longer, but not seconds. */
export const promptMsWhenBusy = 500;

/** Every promise that was not kept, in words. `prompt` is how many milliseconds the deletion of a pod may take to Envoy. */
export function broken(
  { changesByEmptyEureka, explained, nacks, replayed, rows }: StoryResult,
  prompt = promptMs,
): readonly string[] {
  const faults: string[] = [];
  for (const row of rows) {
    const { failedAfter, misrouted, sent, share, step, through } = row;
    if (sent === 0) faults.push(`${step}: nothing was sent through ${through}`);
    if (through !== "Signalbox") continue;
    if (failedAfter > 0) faults.push(`${step}: ${failedAfter} calls failed after the push`);
    if (misrouted > 0) faults.push(`${step}: ${misrouted} calls came to another service`);
    if (share !== undefined && !(Math.abs(share.planned - share.measured) <= tolerance))
      faults.push(`${step}: the share is ${share.measured.toFixed(1)} %`);
    if (step.startsWith("a") && (row.pushMs ?? Number.POSITIVE_INFINITY) > prompt)
      faults.push(`${step}: the push took ${(row.pushMs ?? Number.POSITIVE_INFINITY).toFixed(0)} ms`);
  }
  for (const { address, expected, said, step } of explained)
    if (expected !== said) faults.push(`${step}: ${address} is explained as "${said}" instead of "${expected}"`);
  if (nacks > 0) faults.push(`Envoy refused ${nacks} responses`);
  if (changesByEmptyEureka > 0)
    faults.push(`Envoy's endpoints changed ${changesByEmptyEureka} times while Eureka was empty`);
  const [first, second] = replayed.hashes;
  if (first !== second) faults.push("two replays of the journal are not equal byte for byte");
  if (replayed.endpoints === 0) faults.push("there was nothing to compare a replay with");
  for (const difference of replayed.different) faults.push(`the replay is not what was: ${difference}`);
  return faults;
}
