import type { Resource } from "../resource.ts";
import { SetVersion } from "../set-version.ts";
import { sotwFrame } from "./frame.ts";
import type { NameRun, NameTable } from "./names.ts";
import { sortedByName, type BuildContext, type Outgoing } from "./outgoing.ts";
import type { NameLimits, SotwRequest } from "./request.ts";
import type { Subscription } from "./subscription.ts";
import type { TypeState } from "./view-state.ts";

/** What reading a request needs from the stream and the server. */
export interface ReceiveContext {
  readonly change: number;
  readonly now: number;
  readonly names: NameTable;
  readonly limits: NameLimits;
}

/**
 * Takes a DiscoveryRequest's names into the subscription. An ACK that repeats its names is compared as bytes and does
 * nothing. Names that were not subscribed before are pending; a type's first request asks for everything.
 */
export function subscribeSotw(sub: Subscription, request: SotwRequest, first: boolean, context: ReceiveContext): void {
  const { change, now } = context;
  if (sub.run !== undefined && isSame(sub.run.run, request.names)) {
    // Without a nonce it is no ACK: the client lost what it was sent.
    if (request.nonce === "" && sub.answered && noneOut(sub) && request.versionInfo !== sub.answers.sentVersion) {
      sub.ask(undefined, change, now, true);
    }
    return;
  }
  const before = { names: sub.names, wildcard: sub.wildcard };
  adopt(sub, context.names.acquireRun(request.names, context.limits), request.names.length > 0, context.names);
  if (first) {
    sub.claim = request.versionInfo;
    sub.ask(undefined, change, now, request.versionInfo === "");
  } else if (sub.wildcard && !before.wildcard) sub.ask(undefined, change, now, true);
  else {
    const added = [...sub.names].filter((name) => !before.names.has(name) && sub.state?.known.has(name) !== false);
    if (added.length > 0) sub.ask(added, change, now, true);
  }
  sub.prune();
}

/** Names that came again are mostly the same object, see `readSotwRequest`. */
function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return a === b || Buffer.compare(a, b) === 0;
}

function noneOut(sub: Subscription): boolean {
  return sub.answers.awaiting === undefined;
}

function adopt(sub: Subscription, run: NameRun, named: boolean, table: NameTable): void {
  sub.deselect();
  if (sub.run !== undefined) table.releaseRun(sub.run);
  sub.everNamed ||= named;
  sub.run = run;
  sub.names = run.names;
  sub.wildcard = run.names.has("*") || (!sub.everNamed && sub.kind.legacyWildcard);
  sub.select();
}

/**
 * The DiscoveryResponse that is due, from the newest content; `undefined` when there is nothing to say. The version is
 * that of all existing resources subscribed, also when the response carries only some of them, so that a client that
 * brings it back on its next stream is known to hold them all. While the client refuses some, the version is another one,
 * which no stream starts with: a client that brings it back is sent everything.
 */
export function buildSotw(
  sub: Subscription,
  state: TypeState,
  dropped: boolean,
  context: BuildContext,
): Outgoing | undefined {
  const version = versionOf(sub, state);
  if (sub.owed && sub.claim === version && !sub.all().some(({ name }) => context.warming.has(name))) {
    sub.answered = true;
    sub.answers.holds(version, context.now);
    return undefined;
  }
  const content = sub.kind.wholeState ? wholeState(sub, dropped) : someOf(sub, state);
  if (content === undefined) return undefined;
  const fresh = sub.owed ? content.resources : state.existing(sub.pending);
  const marked = content.whole ? version : markDoubted(sub, version);
  const key = content.whole ? version : `${marked}/${SetVersion.of(content.resources).toString()}`;
  const frame = state.frame(key, sub.answers, () =>
    sotwFrame({
      type: sub.kind.type,
      version: marked,
      nonce: context.nextNonce(),
      resources: sortedByName(content.resources),
      removed: [],
      controlPlane: context.controlPlane,
    }),
  );
  return { frame, fresh };
}

interface Content {
  readonly resources: readonly Resource[];
  readonly whole: boolean;
}

function versionOf(sub: Subscription, state: TypeState): string {
  const base = sub.wildcard || sub.selection === undefined ? state.version : sub.selection.version;
  if (sub.retired.size === 0) return base.toString();
  const version = base.copy();
  for (const resource of sub.tombstones()) version.add(resource);
  return version.toString();
}

/** The version of a client that does not hold all that it was sent. */
function markDoubted(sub: Subscription, version: string): string {
  const doubted = sub.doubted();
  return doubted.size === 0 ? version : `${version}-${SetVersion.of(doubted.values()).toString()}`;
}

function mayHoldSome(sub: Subscription): boolean {
  return sub.names.size > 0 && (sub.answered || (typeof sub.claim === "string" && sub.claim !== ""));
}

/** All that is subscribed, with what is retired but not yet dropped. A named subscription to nothing waits unanswered. */
function wholeState(sub: Subscription, dropped: boolean): Content | undefined {
  if (!sub.owed && !dropped && sub.pending.size === 0) return undefined;
  const resources = sub.retired.size === 0 ? sub.all() : [...sub.all(), ...sub.tombstones()];
  if (resources.length === 0 && !sub.wildcard && !mayHoldSome(sub)) return undefined;
  return { resources, whole: true };
}

function someOf(sub: Subscription, state: TypeState): Content | undefined {
  if (sub.owed) {
    const resources = sub.all();
    return resources.length === 0 ? undefined : { resources, whole: true };
  }
  const resources = state.existing(sub.pending);
  return resources.length === 0 ? undefined : { resources, whole: false };
}
