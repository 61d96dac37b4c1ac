import { byCodeUnits } from "../code-units.ts";
import type { Resource } from "../resource.ts";
import { SetVersion } from "../set-version.ts";
import { deltaFrame } from "./frame.ts";
import { NameOverlay } from "./names.ts";
import { sortedByName, type BuildContext, type Outgoing } from "./outgoing.ts";
import { LimitExceededError, type DeltaRequest } from "./request.ts";
import type { ReceiveContext } from "./sotw.ts";
import type { Subscription } from "./subscription.ts";
import type { TypeState } from "./view-state.ts";

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
  const names = request.subscribe.filter((name) => name !== "*");
  const everything = request.subscribe.length > names.length;
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
    const overlay = sub.overlay;
    if (overlay !== undefined) for (const name of names) overlay.add(name);
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
  sub.overlay = new NameOverlay(context.names, names);
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
export function buildDelta(
  sub: Subscription,
  state: TypeState,
  dropped: readonly string[],
  context: BuildContext,
): Outgoing | undefined {
  const upserts = new Map<string, Resource>();
  const removed = new Set<string>();
  for (const name of [...sub.next, ...dropped]) {
    const resource = sub.visible(name);
    if (resource === undefined) removed.add(name);
    else upserts.set(name, resource);
  }
  if (sub.owed) owe(sub, state, context, upserts, removed);
  const gone = [...(sub.filter?.told(removed) ?? removed)].sort(byCodeUnits);
  if (upserts.size === 0 && gone.length === 0 && !opensEmpty(sub)) return undefined;
  const fresh = [...upserts.values()];
  const version = state.version.toString();
  const goneVersion = SetVersion.of(gone.map((name) => ({ name, version: "" }))).toString();
  const frame = state.frame(`delta/${SetVersion.of(fresh).toString()}/${goneVersion}`, sub.answers, () =>
    deltaFrame({
      type: sub.kind.type,
      version,
      nonce: context.nextNonce(),
      resources: sortedByName(fresh),
      removed: gone,
      controlPlane: context.controlPlane,
    }),
  );
  return { frame, fresh };
}

function owe(
  sub: Subscription,
  state: TypeState,
  context: BuildContext,
  upserts: Map<string, Resource>,
  removed: Set<string>,
): void {
  const held = sub.claim instanceof Map ? (sub.claim as ReadonlyMap<string, string>) : new Map<string, string>();
  for (const resource of sub.existing()) {
    if (held.get(resource.name) === resource.version && !context.warming.has(resource.name)) continue;
    upserts.set(resource.name, resource);
  }
  for (const name of held.keys()) if (sub.wants(name) && sub.visible(name) === undefined) removed.add(name);
  for (const name of sub.names) if (!state.known.has(name)) removed.add(name);
}

function opensEmpty(sub: Subscription): boolean {
  return sub.owed && sub.wildcard && !sub.answered && !(sub.claim instanceof Map && sub.claim.size > 0);
}
