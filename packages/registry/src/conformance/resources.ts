import { getEventListeners } from "node:events";
import assert from "node:assert/strict";
import { systemClock } from "../clock.ts";
import type { Run, Stage } from "./stage.ts";

/**
 * What keeps this process alive when it is at rest: the least of several looks, because a timer of the test runner that is
 * about to end must not stand in for one that a run leaves behind.
 */
export async function restingResources(stage: Stage): Promise<ReadonlyMap<string, number>> {
  let least = await activeResources(stage);
  for (let look = 0; look < 3; look++) {
    await systemClock.sleep(1, new AbortController().signal);
    const now = await activeResources(stage);
    least = new Map([...least].map(([kind, count]) => [kind, Math.min(count, now.get(kind) ?? 0)]));
  }
  return least;
}

/** How many handles and requests of each kind keep this process alive, and how many connections the source counts. */
async function activeResources(stage: Stage): Promise<ReadonlyMap<string, number>> {
  const connections = (await stage.world.connections?.()) ?? 0;
  const counts = new Map([["connections of the source", connections]]);
  for (const kind of process.getActiveResourcesInfo()) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  return counts;
}

/**
 * Waits until a run that ended holds nothing: no sleeper on the clock, no listener on its signal, and no more timers,
 * sockets, watches and requests in the process than before (what was unref'd is not seen). Sockets take a moment to close, so it looks until the deadline.
 */
export async function assertNothingLeft(
  stage: Stage,
  run: Run,
  before: ReadonlyMap<string, number>,
  when: string,
): Promise<void> {
  assert.deepEqual(stage.clock.pending, [], `sleepers on the clock after an abort ${when}`);
  const listeners = getEventListeners(run.signal, "abort").length;
  assert.equal(listeners, 0, `listeners on the signal after an abort ${when}`);
  const end = performance.now() + stage.deadlineMs;
  for (;;) {
    const left = [...(await activeResources(stage))].filter(([kind, count]) => count > (before.get(kind) ?? 0));
    if (left.length === 0) return;
    const kinds = left.map(([kind, count]) => `${kind}: ${count}, before ${before.get(kind) ?? 0}`).join("; ");
    assert.ok(performance.now() < end, `resources left after an abort ${when}: ${kinds}`);
    await systemClock.sleep(5, new AbortController().signal);
  }
}
