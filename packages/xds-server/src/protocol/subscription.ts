import type { TypeUrl } from "@signalbox/envoy-api";
import { each, type Steps } from "@signalbox/slices";
import { byCodeUnits } from "../code-units.ts";
import type { SubscriptionStatus } from "../events.ts";
import type { Resource, ResourceView } from "../resource.ts";
import { Answers } from "./answers.ts";
import type { PastChanges } from "./change-history.ts";
import type { NameCollection, NameOverlay, NameRun, NameTable, SharedNames } from "./names.ts";
import type { ResourceKind } from "./resource-kinds.ts";
import type { Part, Selection, TypeState } from "./view-state.ts";
import type { ViewStates } from "./view-states.ts";

/** Changes that wait to be sent. Numbers are the stream's change counter. */
interface Backlog {
  oldest: number;
  latest: number;
  /** Epoch milliseconds of the oldest. */
  since: number;
}

const noNames: NameCollection = new Set<string>();

/**
 * Thrown when nobody can say any more what a client holds that takes everything: it was away from its view while very much changed. The
 * client is to come back, and to say what it holds.
 */
export class LostTrackError extends Error {
  readonly code = "SBX_XDS_LOST_TRACK";

  constructor(type: TypeUrl) {
    super(`too much changed of ${type} while the client had another view: it has to come back with what it holds`);
    this.name = "LostTrackError";
  }
}

/** Names that are to be sent, and where they come from. */
class PendingNames extends Set<string> {
  #origin: ReadonlySet<string> | undefined;

  /** The names that changed, where exactly those of them are pending that the client is to be told of. */
  get origin(): ReadonlySet<string> | undefined {
    return this.#origin;
  }

  /** Names of which there were `sizeBefore` have become more because of `changed`. */
  cameFrom(changed: ReadonlySet<string>, sizeBefore: number): void {
    this.#origin = sizeBefore === 0 && this.size > 0 ? changed : undefined;
  }

  override add(name: string): this {
    this.#origin = undefined;
    return super.add(name);
  }

  override delete(name: string): boolean {
    this.#origin = undefined;
    return super.delete(name);
  }

  override clear(): void {
    this.#origin = undefined;
    super.clear();
  }
}

/** What a wildcard means where it does not mean everything. */
export interface WildcardFilter {
  /** False while it is not known yet what the wildcard means. */
  readonly ready: boolean;
  has(name: string): boolean;
  /** Of names that are gone, those of which the client is to be told now. */
  told(gone: ReadonlySet<string>): Iterable<string>;
}

/**
 * What one stream has asked for of one resource type, and what is still to be said about it. Nothing queues here:
 * `pending` holds names only, and a response is made of the newest content when it can be written. Both variants of the
 * protocol share this state.
 */
export class Subscription {
  readonly kind: ResourceKind;
  readonly protocol: "sotw" | "delta";
  wildcard = false;
  /** Narrows the wildcard; names that the client asks for are not looked at. */
  filter: WildcardFilter | undefined;
  /** The client has named resources on this stream, so that no names mean none. */
  everNamed = false;
  names: NameCollection = noNames;
  run: NameRun | undefined;
  overlay: NameOverlay | undefined;
  view: ResourceView | undefined;
  state: TypeState | undefined;
  selection: Selection | undefined;
  #seenEpoch = 0;

  /** Everything subscribed is to be sent, but what `claim` says the client holds. */
  owed = false;
  /** What the client says it brought from an earlier stream: a SotW version, or delta versions by name. */
  claim: string | ReadonlyMap<string, string> | undefined;
  /** A request asks for what is pending: it is answered without waiting for order or an ACK. */
  solicited = false;
  readonly pending = new PendingNames();
  /** Of what is pending, names that the client waits for: they go at once, before and without the rest. */
  readonly urgent = new Set<string>();
  backlog: Backlog | undefined;
  /** Resources that are gone, and of which the client is to be told last. SotW keeps their content until then. */
  readonly retired = new Map<string, Resource | undefined>();
  retiredBacklog: Backlog | undefined;

  readonly answers: Answers;
  /** The client has been answered, or holds what it would be answered. */
  answered = false;

  constructor(kind: ResourceKind, protocol: "sotw" | "delta") {
    this.kind = kind;
    this.protocol = protocol;
    this.answers = new Answers(protocol === "sotw" && kind.wholeState);
  }

  /** The client is to have the name if it exists. */
  covers(name: string): boolean {
    return this.#inWildcard(name) || this.names.has(name);
  }

  /** The client asks for the name, whether or not it is to have it. */
  wants(name: string): boolean {
    return this.wildcard || this.names.has(name);
  }

  /** The resource of this name that the client is to have. */
  visible(name: string): Resource | undefined {
    return this.covers(name) ? this.state?.known.get(name) : undefined;
  }

  #inWildcard(name: string): boolean {
    return this.wildcard && (this.filter === undefined || this.filter.has(name));
  }

  /** The names, where they are a set that equal subscriptions share; `undefined` also for everything. */
  get sharedNames(): SharedNames | undefined {
    if (this.wildcard) return undefined;
    return this.overlay?.shared ?? this.run?.shared;
  }

  /** The subscribed resources that exist. */
  existing(): Resource[] {
    if (this.state === undefined) return [];
    if (!this.wildcard) return this.state.existing(this.names);
    const all = [...this.state.known.values()];
    return this.filter === undefined ? all : all.filter(({ name }) => this.covers(name));
  }

  /** The same, sorted by name when it is shared with equal subscriptions: not to be changed. */
  *all(): Steps<readonly Resource[]> {
    if (this.state === undefined) return [];
    if (this.filter !== undefined) return this.existing();
    if (this.wildcard) return (yield* this.state.whole(undefined)).resources;
    return this.run === undefined ? this.existing() : (yield* this.state.whole(this.run.shared)).resources;
  }

  /** What is pending, where one change that equal subscriptions share is all that it is; `undefined` where it is more, or less. */
  *part(): Steps<Part | undefined> {
    const { origin } = this.pending;
    if (origin === undefined || this.state === undefined || this.filter !== undefined || this.#inParts)
      return undefined;
    if (this.wildcard) return this.names.size === 0 ? yield* this.state.part(origin, undefined) : undefined;
    const shared = this.sharedNames;
    return shared === undefined ? undefined : yield* this.state.part(origin, shared);
  }

  attach(view: ResourceView, states: ViewStates): void {
    this.view = view;
    this.state = states.acquire(view, this.kind.type);
    this.heard();
    this.select();
  }

  /** Follows `wildcard` and `run` with the selection whose version a SotW response carries. */
  select(): void {
    if (this.run !== undefined) this.selection = this.state?.select(this.run.shared);
  }

  deselect(): void {
    if (this.run !== undefined) this.state?.release(this.run.shared);
    this.selection = undefined;
  }

  detach(states: ViewStates): void {
    this.deselect();
    if (this.view !== undefined && this.state !== undefined) states.release(this.view, this.state);
    this.view = undefined;
    this.state = undefined;
  }

  /** Ends all holds on shared state. */
  close(states: ViewStates, table: NameTable): void {
    this.detach(states);
    if (this.run !== undefined) table.releaseRun(this.run);
    this.run = undefined;
    this.overlay?.release();
    this.overlay = undefined;
  }

  /**
   * The stream's view was another one for a while, or is now: what differs from what it heard of last is pending, or owed, after the last
   * step. Nobody else may touch the subscription between two. Throws a LostTrackError.
   */
  *moving(view: ResourceView | undefined, states: ViewStates, change: number, now: number): Steps<undefined> {
    const before = this.state;
    if (before === undefined) {
      if (view !== undefined) this.attach(view, states);
      if (this.owed || this.pending.size > 0) this.#mark(change, now);
      return undefined;
    }
    const returns = this.view === view;
    if (returns) before.sync();
    const unheard = before.changedSince(this.#seenEpoch);
    const held = new Map<string, Resource>(unheard?.gone);
    if (returns) this.heard();
    else {
      yield* each(this.existing(), (resource) => held.set(resource.name, resource));
      this.detach(states);
      if (view !== undefined) this.attach(view, states);
    }
    if (view === undefined || unheard === undefined) this.#distrust(held, unheard, change, now);
    else {
      const names = returns ? unheard.names : yield* this.#differences(held, unheard.names);
      yield* this.changing(names, change, now, held);
    }
    return undefined;
  }

  /** The stream hears of everything that the state knows now. */
  heard(): void {
    if (this.state !== undefined) this.#seenEpoch = this.state.epoch;
  }

  /** What is not as it was held, and what the stream did not hear of, as far as it exists now or did. */
  *#differences(held: ReadonlyMap<string, Resource>, unheard: ReadonlySet<string>): Steps<ReadonlySet<string>> {
    const names = new Set(unheard);
    const current = new Set<string>();
    yield* each(this.existing(), (resource) => {
      current.add(resource.name);
      if (held.get(resource.name)?.version !== resource.version) names.add(resource.name);
    });
    yield* each(held.keys(), (name) => {
      if (!current.has(name)) names.add(name);
    });
    return names;
  }

  /** What the client holds is no longer known for sure: say everything again. */
  #distrust(held: ReadonlyMap<string, Resource>, unheard: PastChanges | undefined, change: number, now: number): void {
    if (unheard === undefined && this.protocol === "delta" && this.wildcard) throw new LostTrackError(this.kind.type);
    this.owed = true;
    this.claim = undefined;
    const retired = this.takeRetired();
    if (this.protocol === "delta")
      for (const name of [...held.keys(), ...(unheard?.names ?? []), ...retired]) this.pending.add(name);
    this.#mark(change, now);
  }

  /**
   * Names that are different now. `gone` has the content of those that no longer exist. In steps, between which nobody else may touch the
   * subscription; what changes once more meanwhile is told once more.
   */
  *changing(
    changed: ReadonlySet<string>,
    change: number,
    now: number,
    gone?: ReadonlyMap<string, Resource>,
  ): Steps<undefined> {
    const { state } = this;
    if (state === undefined) return undefined;
    const content = gone ?? state.removed;
    const byChange = this.wildcard || changed.size <= this.names.size;
    const { size } = this.pending;
    yield* each(byChange ? changed : this.names, (name) => {
      if (byChange ? this.covers(name) : changed.has(name)) this.#take(name, state, content, change, now);
    });
    this.pending.cameFrom(changed, size);
    this.tidy();
    return undefined;
  }

  #take(name: string, state: TypeState, gone: ReadonlyMap<string, Resource>, change: number, now: number): void {
    if (state.known.has(name)) {
      this.retired.delete(name);
      this.pending.add(name);
    } else if (this.kind.removedLast) {
      this.pending.delete(name);
      if (this.protocol === "sotw") this.answers.forget(name);
      if (this.protocol === "sotw" && (!this.kind.wholeState || !this.answered)) return;
      this.retired.set(name, this.protocol === "sotw" ? (gone.get(name) ?? this.retired.get(name)) : undefined);
      this.retiredBacklog ??= { oldest: change, latest: change, since: now };
      this.retiredBacklog.latest = change;
      return;
    } else if (this.protocol === "delta" || this.kind.wholeState) this.pending.add(name);
    else {
      this.pending.delete(name);
      this.answers.forget(name);
      return;
    }
    this.#mark(change, now);
  }

  /** Names to send because another response makes the client wait for them. */
  resend(names: Iterable<string>, change: number, now: number): void {
    // What is owed has whatever the client waits for.
    if (this.owed) return;
    for (const name of names) {
      if (!this.covers(name) || this.state?.known.has(name) !== true) continue;
      this.pending.add(name);
      this.#mark(change, now);
    }
  }

  /** Names, existing or not, that the client waits for though it did not ask. They go at once, and nothing else with them. */
  hurry(names: Iterable<string>, change: number, now: number): void {
    for (const name of names) {
      this.pending.add(name);
      this.urgent.add(name);
      this.#mark(change, now);
    }
  }

  /** What goes into the next response, of what is pending. */
  get next(): ReadonlySet<string> {
    return this.#inParts ? this.urgent : this.pending;
  }

  get #inParts(): boolean {
    return this.urgent.size > 0 && !this.owed && !this.solicited;
  }

  /** A request asks for names (`undefined`: for everything). Answered at once unless the client brought something to live on. */
  ask(names: Iterable<string> | undefined, change: number, now: number, atOnce: boolean): void {
    if (names === undefined) this.owed = true;
    else for (const name of names) this.pending.add(name);
    if (atOnce) this.solicited = true;
    this.#mark(change, now);
  }

  /** Drops what is pending for names that are no longer subscribed. */
  prune(): void {
    if (this.wildcard) return;
    for (const name of this.pending) if (!this.names.has(name)) this.pending.delete(name);
    for (const name of this.retired.keys()) if (!this.names.has(name)) this.retired.delete(name);
    this.answers.forgetUnless((name) => this.names.has(name));
    this.tidy();
  }

  /** Forgets since when something was pending, once nothing is. */
  tidy(): void {
    if (this.retired.size === 0) this.retiredBacklog = undefined;
    if (this.owed || this.pending.size > 0) return;
    this.backlog = undefined;
    this.solicited = false;
  }

  #mark(change: number, now: number): void {
    this.backlog ??= { oldest: change, latest: change, since: now };
    this.backlog.latest = change;
  }

  /** Lets go of the retired resources and returns their names, in the order in which they went. */
  takeRetired(): string[] {
    const names = [...this.retired.keys()];
    this.retired.clear();
    this.retiredBacklog = undefined;
    return names;
  }

  /** What is retired and still has content to show, and did not come back. */
  tombstones(): Resource[] {
    const kept: Resource[] = [];
    for (const [name, resource] of this.retired) {
      if (resource !== undefined && this.state?.known.has(name) !== true) kept.push(resource);
    }
    return kept;
  }

  /** What was to go next has been put into a response, or needs none. */
  settle(): void {
    if (this.#inParts) {
      for (const name of this.urgent) this.pending.delete(name);
      this.urgent.clear();
      this.tidy();
      return;
    }
    this.urgent.clear();
    this.owed = false;
    this.claim = undefined;
    this.solicited = false;
    this.pending.clear();
    this.backlog = undefined;
  }

  /** Existing resources, other than those pending, of which the client may not hold what it was sent last. */
  doubted(): Map<string, Resource> {
    const found = new Map<string, Resource>();
    for (const name of this.answers.doubted()) {
      const resource = this.pending.has(name) || !this.covers(name) ? undefined : this.state?.known.get(name);
      if (resource !== undefined) found.set(name, resource);
    }
    return found;
  }

  /** What is subscribed by name, sorted. The wildcard is no name. */
  watched(): string[] {
    return [...this.names].filter((name) => name !== "*").sort(byCodeUnits);
  }

  status(): SubscriptionStatus {
    return {
      resourceType: this.kind.type,
      wildcard: this.wildcard,
      names: this.names.has("*") ? this.names.size - 1 : this.names.size,
      ...this.answers.status(),
    };
  }
}
