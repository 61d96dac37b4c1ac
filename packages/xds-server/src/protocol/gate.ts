import type { Subscription } from "./subscription.ts";

/** Nothing to wait for. */
export const open = 0;

/**
 * Until when the pending changes of `sub` must wait, in epoch milliseconds; `open` when they may go.
 *
 * Two rules, both with the same deadline, and neither for what a request asked for:
 * one response for each type at a time, the next when the client has answered (a slow client gets fewer, newer
 * responses); and make before break: what refers to clusters waits until the clusters and endpoints of the same change
 * are answered, which Envoy does when they are warm. Endpoints do not wait for the answer to clusters, since Envoy holds
 * that answer back until it has them. Source: Envoy's xDS protocol documentation, "Eventual consistency considerations".
 */
export function changesWaitUntil(sub: Subscription, others: Iterable<Subscription>, waitMs: number): number {
  if (sub.solicited) return open;
  const ownAnswer = sub.awaiting?.deadline ?? open;
  if (!sub.kind.refersToClusters || sub.backlog === undefined) return ownAnswer;
  const { latest, since } = sub.backlog;
  for (const other of others) {
    if (other.kind.removedLast && isBehind(other, latest)) return Math.max(ownAnswer, since + waitMs);
  }
  return ownAnswer;
}

/**
 * The same for telling the client what is gone: last, when whatever may have referred to it is answered. That may itself
 * have waited, hence twice the time.
 */
export function removalsWaitUntil(sub: Subscription, others: Iterable<Subscription>, waitMs: number): number {
  const ownAnswer = sub.awaiting?.deadline ?? open;
  if (sub.retiredBacklog === undefined) return ownAnswer;
  const { latest, since } = sub.retiredBacklog;
  for (const other of others) {
    if (other.kind.refersToClusters && isBehind(other, latest)) return Math.max(ownAnswer, since + 2 * waitMs);
  }
  return ownAnswer;
}

/** Some change up to `latest` is pending or unanswered. */
function isBehind(sub: Subscription, latest: number): boolean {
  return (sub.backlog?.oldest ?? Infinity) <= latest || (sub.awaiting?.oldest ?? Infinity) <= latest;
}
