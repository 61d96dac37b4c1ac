import { each, type Steps } from "@signalbox/slices";
import { byCodeUnits } from "../code-units.ts";
import type { Resource } from "../resource.ts";
import { deltaFrame } from "./frame.ts";
import { NameOverlay } from "./names.ts";
import { sortedByName, type BuildContext, type Outgoing } from "./outgoing.ts";
import { LimitExceededError, type DeltaRequest } from "./request.ts";
import { acquireRun, type ReceiveContext } from "./receiving.ts";
import type { Subscription } from "./subscription.ts";
import { deltaKey, type Part, type TypeState } from "./view-state.ts";

/**
 * Takes a DeltaDiscoveryRequest into the subscription. Every name subscribed is answered, known to the client or not:
 * the client may have forgotten it. A name both subscribed and unsubscribed in one request stays subscribed.
 */
export function subscribeDelta(
  sub: Subscription,
  request: DeltaRequest,
  first: boolean,
  context: ReceiveContext,
): void {
  const everything = request.subscribe.includes("*");
  const names = everything ? request.subscribe.filter((name) => name !== "*") : request.subscribe;
  if (first) open(sub, request, names, everything, context);
  else {
    if (request.unsubscribe.includes("*")) leaveWildcard(sub);
    // Before the names are left, so that the client is told what becomes of those that the wildcard might cover.
    if (everything) {
      sub.wildcard = true;
      sub.claim = undefined;
      sub.ask(undefined, context.change, context.now, true);
    }
    for (const name of request.unsubscribe) leave(sub, name, context);
    sub.overlay?.addAll(names);
    if (names.length > 0) sub.ask(names, context.change, context.now, true);
  }
  if (sub.names.size > context.limits.maxNames) {
    throw new LimitExceededError(`more than ${context.limits.maxNames} resource names in one subscription`);
  }
}

function open(
  sub: Subscription,
  request: DeltaRequest,
  names: readonly string[],
  everything: boolean,
  context: ReceiveContext,
): void {
  const { subscribe, subscribeRun } = request;
  const named = names.length === subscribe.length ? subscribeRun : undefined;
  sub.overlay = new NameOverlay(context.names, named === undefined ? names : acquireRun(context, named, subscribe));
  sub.names = sub.overlay;
  const nothing = request.subscribe.length === 0 && request.unsubscribe.length === 0;
  sub.wildcard = everything || (nothing && sub.kind.legacyWildcard);
  sub.claim = request.initialVersions;
  sub.ask(undefined, context.change, context.now, request.initialVersions.size === 0);
}

function leaveWildcard(sub: Subscription): void {
  sub.wildcard = false;
  sub.prune();
}

function leave(sub: Subscription, name: string, context: ReceiveContext): void {
  if (sub.overlay?.delete(name) !== true) return;
  // The client cannot tell whether the wildcard still covers the name, so it is told.
  if (sub.wildcard) sub.ask([name], context.change, context.now, true);
  else {
    sub.pending.delete(name);
    sub.retired.delete(name);
    sub.answers.forget(name);
    sub.tidy();
  }
}

/**
 * The DeltaDiscoveryResponse that is due, from the newest content; `undefined` when there is nothing to say. `dropped`
 * are names whose removal is due now. A client's first wildcard on an empty set is answered with an empty response, so
 * that it does not wait.
 */
export function* buildDelta(
  sub: Subscription,
  state: TypeState,
  dropped: readonly string[],
  context: BuildContext,
): Steps<Outgoing | undefined> {
  const shared = dropped.length === 0 ? yield* sharedOf(sub, state) : undefined;
  if (shared !== undefined) {
    if (shared.resources.length + shared.gone.length === 0 && !opensEmpty(sub)) return undefined;
    return yield* outgoing(sub, state, context, shared.resources, shared.gone, shared.key);
  }
  const upserts = new Map<string, Resource>();
  const removed = new Set<string>();
  for (const names of [sub.next, dropped]) {
    yield* each(names, (name) => {
      const resource = sub.visible(name);
      if (resource === undefined) removed.add(name);
      else upserts.set(name, resource);
    });
  }
  if (sub.owed) yield* owe(sub, state, context, upserts, removed);
  const gone = [...(sub.filter?.told(removed) ?? removed)].sort(byCodeUnits);
  if (upserts.size === 0 && gone.length === 0 && !opensEmpty(sub)) return undefined;
  const fresh = yield* sortedByName(upserts.values());
  return yield* outgoing(sub, state, context, fresh, gone, yield* deltaKey(fresh, gone));
}

function* outgoing(
  sub: Subscription,
  state: TypeState,
  context: BuildContext,
  fresh: readonly Resource[],
  removed: readonly string[],
  key: string,
): Steps<Outgoing> {
  const frame = yield* state.frame(key, sub.answers, () =>
    deltaFrame({
      type: sub.kind.type,
      version: state.version.toString(),
      nonce: context.nextNonce(),
      resources: fresh,
      removed,
      controlPlane: context.controlPlane,
    }),
  );
  return { frame, fresh };
}

/** What is due, when it is what equal subscriptions of all streams are told: those that hold nothing, or that hear of one change. */
function* sharedOf(sub: Subscription, state: TypeState): Steps<Pick<Part, "resources" | "gone" | "key"> | undefined> {
  if (!sub.owed) return yield* sub.part();
  if (sub.filter !== undefined || sub.pending.size > 0 || (sub.claim instanceof Map && sub.claim.size > 0))
    return undefined;
  const names = sub.wildcard ? undefined : sub.overlay?.shared;
  if (sub.wildcard ? sub.names.size > 0 : names === undefined) return undefined;
  const { resources, missing, key } = yield* state.whole(names);
  return { resources, gone: missing, key };
}

function* owe(
  sub: Subscription,
  state: TypeState,
  context: BuildContext,
  upserts: Map<string, Resource>,
  removed: Set<string>,
): Steps<void> {
  const held = sub.claim instanceof Map ? (sub.claim as ReadonlyMap<string, string>) : new Map<string, string>();
  yield* each(sub.existing(), (resource) => {
    if (held.get(resource.name) === resource.version && !context.warming.has(resource.name)) return;
    upserts.set(resource.name, resource);
  });
  yield* each(held.keys(), (name) => {
    if (sub.wants(name) && sub.visible(name) === undefined) removed.add(name);
  });
  yield* each(sub.names, (name) => {
    if (!state.known.has(name)) removed.add(name);
  });
}

function opensEmpty(sub: Subscription): boolean {
  return sub.owed && sub.wildcard && !sub.answered && !(sub.claim instanceof Map && sub.claim.size > 0);
}
