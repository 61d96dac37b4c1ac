import type { Subscription } from "./subscription.ts";

/** Nothing to wait for. */
export const open = 0;

/** How many times as long as for an answer a removal waits for a client that refused what should no longer refer to it. */
const refusedPatience = 12;

/**
 * Until when the pending changes of `sub` must wait, in epoch milliseconds; `open` when they may go.
 *
 * Two rules, both with the same deadline, and neither for what the client asked for or waits for:
 * one response for each type at a time, the next when the client has answered (a slow client gets fewer, newer
 * responses); and make before break: what refers to clusters waits until the clusters and endpoints of the same change
 * are answered, which Envoy does when they are warm. Endpoints do not wait for the answer to clusters, since Envoy holds
 * that answer back until it has them. Source: Envoy's xDS protocol documentation, "Eventual consistency considerations".
 */
export function changesWaitUntil(sub: Subscription, others: Iterable<Subscription>, waitMs: number): number {
  if (sub.solicited || sub.urgent.size > 0) return open;
  const ownAnswer = sub.answers.awaiting?.deadline ?? open;
  if (!sub.kind.refersToClusters || sub.backlog === undefined) return ownAnswer;
  const { latest, since } = sub.backlog;
  for (const other of others) {
    if (other.kind.removedLast && isBehind(other, latest)) return Math.max(ownAnswer, since + waitMs);
  }
  return ownAnswer;
}

/**
 * The same for telling the client what is gone: last, when whatever may have referred to it is answered. That may itself
 * have waited, hence twice the time. What the client refused may refer to it still, for as long as the client keeps what
 * it has: then the wait is much longer, and ends with the break of what refers to it.
 */
export function removalsWaitUntil(sub: Subscription, others: Iterable<Subscription>, waitMs: number): number {
  let until = sub.answers.awaiting?.deadline ?? open;
  if (sub.retiredBacklog === undefined) return until;
  const { latest, since } = sub.retiredBacklog;
  for (const other of others) {
    if (!other.kind.refersToClusters) continue;
    if (isBehind(other, latest)) until = Math.max(until, since + 2 * waitMs);
    if (isRefused(other, latest)) until = Math.max(until, since + refusedPatience * waitMs);
  }
  return until;
}

/** The client refuses some change up to the newest removal of `sub`, in a type that may refer to what is removed. */
export function removesDespiteRefusal(sub: Subscription, others: Iterable<Subscription>): boolean {
  const latest = sub.retiredBacklog?.latest;
  if (latest === undefined) return false;
  for (const other of others) if (other.kind.refersToClusters && isRefused(other, latest)) return true;
  return false;
}

/** What of a subscription may go now, and when to look again at what may not (`0`: never). */
export interface Due {
  readonly changes: boolean;
  readonly removals: boolean;
  readonly at: number;
}

const nothingDue: Due = { changes: false, removals: false, at: 0 };

/** What of `sub` is due at `now`. */
export function dueOf(sub: Subscription, others: readonly Subscription[], waitMs: number, now: number): Due {
  if (sub.state === undefined || (sub.wildcard && sub.filter?.ready === false)) return nothingDue;
  const wantsChanges = sub.owed || sub.pending.size > 0;
  const wantsRemovals = sub.retired.size > 0;
  if (!wantsChanges && !wantsRemovals) return nothingDue;
  const changesAt = wantsChanges ? changesWaitUntil(sub, others, waitMs) : Infinity;
  const removalsAt = wantsRemovals ? removalsWaitUntil(sub, others, waitMs) : Infinity;
  const at = Math.min(...[changesAt, removalsAt].filter((time) => time > now));
  return { changes: changesAt <= now, removals: removalsAt <= now, at: at === Infinity ? 0 : at };
}

/** Some change up to `latest` is pending or unanswered. */
function isBehind(sub: Subscription, latest: number): boolean {
  return (sub.backlog?.oldest ?? Infinity) <= latest || (sub.answers.awaiting?.oldest ?? Infinity) <= latest;
}

function isRefused(sub: Subscription, latest: number): boolean {
  return (sub.answers.refusedOldest ?? Infinity) <= latest;
}
