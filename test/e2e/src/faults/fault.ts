import { waitFor } from "@signalbox/test-servers";
import type { Scene, Sight, SourceProblem } from "./scene.ts";

/** Something that befalls a source while its endpoints live on. */
export interface Fault {
  readonly begin: () => Promise<void> | void;
  /** What the daemon must come to say of the source, or, where that is "none", until when the fault goes on. */
  readonly during: Exclude<SourceProblem, "none"> | (() => Promise<unknown>);
  readonly end: () => Promise<void> | void;
  /** What must be so before the source counts as healed, besides that the daemon has no complaint any more. */
  readonly healed?: () => Promise<unknown>;
}

/** A real change of the source: one more endpoint, and the way back. */
export interface Change {
  /** Who answers when the change has arrived. */
  readonly name: string;
  readonly make: () => Promise<void>;
  readonly undo: () => Promise<void>;
}

/** Milliseconds for one test: each has several waits. */
export const timeout = 300_000;

/** What callers saw of a fault. */
export interface FaultReport {
  readonly before: Sight;
  readonly during: Sight;
  /** Healed, and nothing else has changed. */
  readonly after: Sight;
  /** After a change that was made when all was over. */
  readonly changed: Sight;
  /** How often Envoy's endpoints changed between before and after. */
  readonly endpointChanges: number;
  /** How many responses Envoy refused, from the start of the scene. */
  readonly nacks: number;
}

/**
 * Lets a fault happen and pass, and then makes a change, which proves that the source is followed again. The change is undone
 * in the end. Rejects when a state does not come; the fault is ended then, too.
 */
export async function goThrough(scene: Scene, fault: Fault, change: Change): Promise<FaultReport> {
  await scene.untilProblem("none");
  const endpoints = await scene.endpoints();
  const changesBefore = await scene.endpointChanges();
  const before = await scene.look();
  let during: Sight;
  try {
    await fault.begin();
    if (typeof fault.during === "string") await scene.untilProblem(fault.during);
    else await fault.during();
    during = await scene.look();
  } finally {
    await fault.end();
  }
  await fault.healed?.();
  await scene.untilProblem("none");
  const after = await scene.look();
  const endpointChanges = (await scene.endpointChanges()) - changesBefore;
  const reached = scene.reaches(change.name);
  // Its own rejection is the better one.
  reached.catch(() => undefined);
  await change.make();
  await reached;
  const changed = await scene.look();
  await change.undo();
  await scene.untilEndpoints(endpoints);
  return { before, during, after, changed, endpointChanges, nacks: await scene.nacks() };
}

/** Waits until something that only a question can tell is so. */
export async function until(what: string, ask: () => Promise<boolean>): Promise<void> {
  await waitFor(ask, { what, deadlineMs: 120_000, intervalMs: 100 });
}
