import type { Steps } from "@signalbox/slices";
import type { Resource } from "../resource.ts";
import { SetVersion } from "../set-version.ts";
import { sotwFrame } from "./frame.ts";
import type { NameRun, NameTable } from "./names.ts";
import { sortedByName, type BuildContext, type Outgoing } from "./outgoing.ts";
import { acquireRun, type ReceiveContext } from "./receiving.ts";
import type { SotwRequest } from "./request.ts";
import type { Subscription } from "./subscription.ts";
import { versionOfAll, type TypeState } from "./view-state.ts";

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
  adopt(sub, acquireRun(context, request.names), request.names.length > 0, context.names);
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
 * which no stream starts with: a client that brings it back is sent everything. With `dropping`, what is retired is left out.
 * Changes nothing, so that it may be given up between two steps.
 */
export function* buildSotw(
  sub: Subscription,
  state: TypeState,
  dropping: boolean,
  context: BuildContext,
): Steps<Outgoing | undefined> {
  // What is dropped now is in no response any more.
  const tombstones = dropping ? [] : sub.tombstones();
  const version = yield* versionOf(sub, state, tombstones);
  if (sub.owed && sub.claim === version && !(yield* sub.all()).some(({ name }) => context.warming.has(name))) {
    return { holds: version };
  }
  const content = sub.kind.wholeState ? yield* wholeState(sub, dropping, tombstones) : yield* someOf(sub, state);
  if (content === undefined) return undefined;
  const fresh = sub.owed ? content.resources : yield* pendingOf(sub, state);
  const marked = content.whole ? version : markDoubted(sub, version);
  const key = content.whole ? version : `${marked}/${content.version}`;
  const frame = yield* state.frame(key, sub.answers, function* () {
    return yield* sotwFrame({
      type: sub.kind.type,
      version: marked,
      nonce: context.nextNonce(),
      resources: yield* sortedByName(content.resources),
      removed: [],
      controlPlane: context.controlPlane,
    });
  });
  return { frame, fresh };
}

type Content =
  | { readonly resources: readonly Resource[]; readonly whole: true }
  | { readonly resources: readonly Resource[]; readonly whole: false; readonly version: string };

function* versionOf(sub: Subscription, state: TypeState, tombstones: readonly Resource[]): Steps<string> {
  const { selection } = sub;
  const base = sub.wildcard || selection === undefined ? state.version : yield* state.versionOf(selection);
  if (tombstones.length === 0) return base.toString();
  const version = base.copy();
  for (const resource of tombstones) version.add(resource);
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
function* wholeState(
  sub: Subscription,
  dropping: boolean,
  tombstones: readonly Resource[],
): Steps<Content | undefined> {
  if (!sub.owed && !dropping && sub.pending.size === 0) return undefined;
  const all = yield* sub.all();
  const resources = tombstones.length === 0 ? all : [...all, ...tombstones];
  if (resources.length === 0 && !sub.wildcard && !mayHoldSome(sub)) return undefined;
  return { resources, whole: true };
}

function* someOf(sub: Subscription, state: TypeState): Steps<Content | undefined> {
  if (sub.owed) {
    const resources = yield* sub.all();
    return resources.length === 0 ? undefined : { resources, whole: true };
  }
  const part = yield* sub.part();
  const resources = part?.resources ?? state.existing(sub.pending);
  if (resources.length === 0) return undefined;
  const version = part?.version ?? (yield* versionOfAll(resources)).toString();
  return { resources, whole: false, version };
}

function* pendingOf(sub: Subscription, state: TypeState): Steps<readonly Resource[]> {
  return (yield* sub.part())?.resources ?? state.existing(sub.pending);
}
