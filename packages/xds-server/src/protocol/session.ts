import { typeUrls, type TypeUrl } from "@signalbox/envoy-api";
import { atOnce, type Steps } from "@signalbox/slices";
import type { ClientStatus } from "../events.ts";
import type { Resource } from "../resource.ts";
import type { ChangedNames, ViewLease } from "../source.ts";
import { grpcStatus, type StreamCall, type StreamHandler } from "../transport.ts";
import { clientStatus, nodeFacts, type NodeFacts } from "./client-status.ts";
import { buildDelta, subscribeDelta } from "./delta.ts";
import { DiscoveredHosts, withRefused } from "./discovered-hosts.ts";
import { dueOf, removesDespiteRefusal } from "./gate.ts";
import type { NameHolder } from "./name-budget.ts";
import type { BuildContext, Outgoing, OutgoingFrame } from "./outgoing.ts";
import type { PreparedRun } from "./prepared-run.ts";
import {
  largeRequest,
  prepareNames,
  readRequest,
  type ReceiveContext,
  type Received,
  type Reading,
} from "./receiving.ts";
import {
  ClientRefusedError,
  LimitExceededError,
  readNode,
  type DeltaRequest,
  type RequestHead,
  type SotwRequest,
} from "./request.ts";
import { isKnownType, resourceKind, typeOfRequest, type XdsMethod } from "./resource-kinds.ts";
import type { SessionShared } from "./session-shared.ts";
import { buildSotw, subscribeSotw } from "./sotw.ts";
import { StatesAhead } from "./states-ahead.ts";
import { LostTrackError, Subscription } from "./subscription.ts";
import { ViewChanges } from "./view-changes.ts";
import type { TypeState } from "./view-state.ts";
import { Warming, withEndpointNames } from "./warming.ts";
import { MalformedRequestError } from "./wire.ts";

/** A response that is made in steps, none of which changes what the stream knows: it may be given up. */
interface Making {
  readonly sub: Subscription;
  readonly dropped: readonly string[];
  readonly steps: Steps<Outgoing | undefined>;
}

const noNames: ReadonlySet<string> = new Set();
/** Milliseconds of one turn of the event loop for the making of a response. */
const sliceMs = 3;
/** The same where the stream has not waited for its turn, and others may have had theirs: small responses are made at once. */
const firstSliceMs = 2;
/** A response is made at once after it was given up so often, so that a stream under changes without a pause gets one. */
const patience = 3;
/** Names of a type that neither the protocol nor the source knows: a client may try, but not fill the server with them. */
const maxUnknownNames = 1_000;

/** One stream: reads requests, keeps a subscription for each type, and writes what is due in the right order. */
export class Session implements StreamHandler, NameHolder {
  readonly id: number;
  readonly #call: StreamCall;
  readonly #method: XdsMethod;
  readonly #shared: SessionShared;
  readonly #connectedAt: number;
  /** In response order. */
  readonly #subscriptions = new Map<TypeUrl, Subscription>();
  #ordered: readonly Subscription[] = [];
  #node: NodeFacts | undefined;
  #lease: ViewLease | undefined;
  readonly #changes: ViewChanges;
  /** The response that is being made. */
  #making: Making | undefined;
  /** Responses given up in a row, because the view changed meanwhile. */
  #givenUp = 0;
  #sliceMs = firstSliceMs;
  /** Names that the budget knows of. */
  #named = 0;
  readonly #warming = new Warming();
  /** Only an aggregated delta stream can carry virtual hosts one by one. */
  readonly #hosts: DiscoveredHosts | undefined;
  /** Only where large work is worth a turn of its own, and only an aggregated stream asks for several types. */
  readonly #ahead: StatesAhead | undefined;
  #writing = false;
  #pumping = false;
  #waitsForTurn = false;
  #closed = false;
  #wake: (() => void) | undefined;

  constructor(id: number, call: StreamCall, method: XdsMethod, shared: SessionShared) {
    this.id = id;
    this.#call = call;
    this.#method = method;
    this.#shared = shared;
    this.#connectedAt = shared.clock.now();
    if (method.protocol === "delta" && method.type === undefined) this.#hosts = new DiscoveredHosts();
    this.#changes = new ViewChanges(
      {
        subscriptions: this.#subscriptions,
        view: () => this.#lease?.current(),
        begin: () => this.#interrupt(),
        moveTo: (view) => this.#ahead?.follow(view),
      },
      shared,
    );
    if (method.type === undefined && shared.inSlices) this.#ahead = new StatesAhead(shared.views, shared.turns);
    shared.onEvent({ type: "stream-open", stream: id, peer: call.peer.address, method: call.path });
  }

  message(bytes: Uint8Array): Steps<undefined> | undefined {
    const { inSlices } = this.#shared;
    const mayBeLong = bytes.length > largeRequest || this.#node === undefined || this.#changes.isMuch;
    if (inSlices && mayBeLong) return this.#inSteps(this.#receiveLarge(bytes));
    let rest: Steps<undefined> | undefined;
    this.#contained(() => {
      const received = atOnce(readRequest(bytes, this.#howToRead()));
      if (inSlices && this.#needsState(received.request)) rest = this.#inSteps(this.#receivePrepared(received));
      else this.#receive(received);
    });
    return rest;
  }

  closed(): void {
    this.#close("closed");
  }

  /** Ends the stream from this side. */
  end(code: number, message: string): void {
    if (this.#closed) return;
    this.#close(message);
    this.#call.end(code, message);
  }

  status(): ClientStatus {
    return clientStatus({
      stream: this.id,
      call: this.#call,
      protocol: this.#method.protocol,
      node: this.#node,
      connectedAt: this.#connectedAt,
      subscriptions: this.#ordered,
    });
  }

  /** Sorted names by type; a type that is only subscribed with the wildcard has none. */
  watchedNames(): Map<TypeUrl, readonly string[]> {
    return new Map(this.#ordered.map((sub) => [sub.kind.type, sub.watched()]));
  }

  /** Does something and what follows from it. What goes wrong ends this stream, and reaches no other. */
  #contained(task: () => void, follow = (): void => this.#pump()): void {
    if (this.#closed) return;
    try {
      if (this.#changes.waiting) atOnce(this.#changes.takeIn());
      task();
      follow();
    } catch (error) {
      this.refuse(error);
    }
  }

  /** All streams of a connection have the same. */
  get connection(): object {
    return this.#call.peer;
  }

  nameCost(): number {
    let cost = 0;
    for (const { run, overlay } of this.#ordered) {
      cost += (run === undefined ? 0 : this.#shared.names.costOfRun(run)) + (overlay?.cost ?? 0);
    }
    return cost;
  }

  /** Ends the stream because of what went wrong, with a reason where the client can do something about it. */
  refuse(error: unknown): void {
    if (this.#closed) return;
    const reason = this.#report(error);
    if (error instanceof MalformedRequestError) this.end(grpcStatus.invalidArgument, reason);
    else if (error instanceof LimitExceededError) this.end(grpcStatus.resourceExhausted, reason);
    else if (error instanceof ClientRefusedError) this.end(grpcStatus.permissionDenied, reason);
    else if (error instanceof LostTrackError) this.end(grpcStatus.unavailable, reason);
    else this.end(grpcStatus.internal, "internal error");
  }

  /** Says what went wrong. */
  #report(error: unknown): string {
    const reason = error instanceof Error ? error.message : String(error);
    this.#shared.onEvent({ type: "refused", peer: this.#call.peer.address, reason });
    return reason;
  }

  #close(reason: string): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#changes.end();
    this.#making = undefined;
    this.#wake?.();
    // A thousand clients may go together.
    this.#shared.turns.run(() => this.#letGo());
    this.#shared.budget.change(this.connection, -this.#named);
    this.#named = 0;
    this.#shared.onClosed(this.id);
    this.#shared.onEvent({ type: "stream-close", stream: this.id, node: this.#node?.id ?? "", reason });
  }

  #letGo(): void {
    for (const sub of this.#ordered) sub.close(this.#shared.views, this.#shared.names);
    this.#ahead?.follow(undefined);
    try {
      this.#lease?.release();
    } catch (error) {
      // The source is somebody else's, and nobody is here who could be told.
      this.#report(error);
    }
  }

  /** Takes a request. Of what the stream knows nothing changes before the last step, but who the client is. */
  *#inSteps(steps: Steps<void>): Steps<undefined> {
    try {
      yield* steps;
    } catch (error) {
      this.refuse(error);
    }
    return undefined;
  }

  *#receiveLarge(bytes: Uint8Array): Steps<void> {
    const reading = this.#howToRead();
    const received = yield* readRequest(bytes, reading);
    if (this.#closed) return;
    if (this.#node === undefined) {
      this.#identify(received.request);
      yield;
    }
    const large = bytes.length > largeRequest;
    const type = typeOfRequest(this.#method, received.request.typeUrl);
    const first = !this.#subscriptions.has(type);
    const prepared = large ? yield* prepareNames(received, first, reading) : undefined;
    if (prepared !== undefined && type === typeUrls.endpoint) yield* this.#warming.preparing(prepared.names.names);
    yield* this.#receivePrepared(received, prepared, large);
  }

  /** Takes a request whose names are prepared where they are many. With the first one of a type its state may have to be made, of ten thousand resources. */
  *#receivePrepared(received: Received, prepared?: PreparedRun, large = false): Steps<void> {
    const type = typeOfRequest(this.#method, received.request.typeUrl);
    const view = this.#lease?.current();
    if (view !== undefined && this.#needsState(received.request)) yield* this.#shared.views.prepare(view, type);
    yield* this.#changes.takeIn();
    this.#contained(
      () => this.#receive(received, prepared),
      () => (large ? this.#later() : this.#pump()),
    );
  }

  /** Whether the request is the first one of a type whose state nobody uses. One with a nonce is not looked at: it answers something. */
  #needsState({ nonce, typeUrl }: RequestHead): boolean {
    if (nonce !== "") return false;
    const type = typeOfRequest(this.#method, typeUrl);
    const view = this.#lease?.current();
    return view !== undefined && !this.#subscriptions.has(type) && !this.#shared.views.has(view, type);
  }

  #howToRead(): Reading {
    const { names, limits } = this.#shared;
    const expected = (): readonly Uint8Array[] => this.#ordered.flatMap((sub) => sub.run?.run ?? []);
    return { protocol: this.#method.protocol, names, limits, expected };
  }

  #receive(received: Received, prepared?: PreparedRun): void {
    this.#giveUp();
    const { names, limits, clock } = this.#shared;
    const context = { change: this.#changes.latest, now: clock.now(), names, limits, prepared };
    if (received.protocol === "sotw") this.#receiveSotw(received.request, context);
    else this.#receiveDelta(received.request, context);
  }

  #receiveSotw(request: SotwRequest, context: ReceiveContext): void {
    this.#identify(request);
    const { sub, first } = this.#subscription(request);
    this.#answer(sub, request);
    if (!first && request.nonce !== "" && request.nonce !== sub.answers.nonce) {
      this.#stale(sub, request.nonce);
      return;
    }
    const { run } = sub;
    subscribeSotw(sub, request, first, context);
    if (sub.run !== run) this.#followNames(sub);
  }

  #receiveDelta(request: DeltaRequest, context: ReceiveContext): void {
    this.#identify(request);
    const { sub, first } = this.#subscription(request);
    const known = this.#answer(sub, request) || request.nonce === sub.answers.nonce;
    // An unknown nonce is no answer, but what the request says about names counts all the same.
    if (!known && !first && request.nonce !== "") this.#stale(sub, request.nonce);
    if (!first && request.subscribe.length + request.unsubscribe.length === 0) return;
    subscribeDelta(sub, request, first, context);
    this.#followNames(sub);
    this.#followTables(sub, request, first);
  }

  /** A request may have changed the names of `sub`. */
  #followNames(sub: Subscription): void {
    if (sub.kind.type === typeUrls.endpoint && this.#warming.names.size > 0) {
      this.#warming.endpointsAsked(sub);
    }
    const named = this.#ordered.reduce((sum, { names }) => sum + names.size, 0);
    const more = named - this.#named;
    if (more === 0) return;
    const unknown = !isKnownType(sub.kind.type) && (sub.state?.known.size ?? 0) === 0;
    if (more > 0 && unknown && sub.names.size > maxUnknownNames) {
      throw new LimitExceededError(`more than ${maxUnknownNames} names of ${sub.kind.type}, of which there are none`);
    }
    this.#named = named;
    this.#shared.budget.change(this.connection, more);
    this.#shared.budget.fit(this);
  }

  /** Takes the node from the first request; later ones are not looked at. */
  #identify(request: RequestHead): void {
    if (this.#node !== undefined) return;
    if (request.node === undefined) throw new MalformedRequestError("the first request of a stream carries no node");
    const node = readNode(request.node, this.#shared.limits.nodeBytes);
    const { peer } = this.#call;
    const refusal = this.#shared.authorize(node, peer);
    if (refusal !== undefined) throw new ClientRefusedError(refusal);
    this.#node = nodeFacts(node);
    this.#shared.onEvent({ type: "stream-node", stream: this.id, node: node.id });
    const onChange = (changed: ChangedNames | undefined): void => this.#viewChanged(changed);
    const { protocol, type } = this.#method;
    this.#lease = this.#shared.source.acquire(node, onChange, peer, { protocol, aggregated: type === undefined });
    this.#ahead?.follow(this.#lease.current());
  }

  #subscription(request: RequestHead): { sub: Subscription; first: boolean } {
    const type = typeOfRequest(this.#method, request.typeUrl);
    const known = this.#subscriptions.get(type);
    if (known !== undefined) return { sub: known, first: false };
    if (this.#subscriptions.size >= this.#shared.limits.maxTypes) {
      throw new LimitExceededError(`more than ${this.#shared.limits.maxTypes} resource types on one stream`);
    }
    const sub = new Subscription(resourceKind(type), this.#method.protocol);
    if (type === typeUrls.virtualHost) sub.filter = this.#hosts;
    const view = this.#lease?.current();
    if (view !== undefined) sub.attach(view, this.#shared.views);
    this.#subscriptions.set(type, sub);
    this.#ordered = [...this.#subscriptions.values()].sort((a, b) => a.kind.order - b.kind.order);
    return { sub, first: true };
  }

  #stale(sub: Subscription, nonce: string): void {
    const shown = nonce.slice(0, 64);
    this.#shared.onEvent({ type: "stale-nonce", ...this.#about(sub), nonce: shown });
  }

  /** Returns whether the request answers a response that was not answered before. */
  #answer(sub: Subscription, { nonce, error }: RequestHead): boolean {
    const sent = nonce === "" ? undefined : sub.answers.answer(nonce, error, this.#shared.clock.now());
    if (sent === undefined) return false;
    const about = this.#about(sub);
    if (error === undefined) this.#shared.onEvent({ type: "acked", ...about, nonce });
    else this.#shared.onEvent({ type: "nacked", ...about, version: sent.version, nonce, error });
    if (error !== undefined && sub.kind.type === typeUrls.route) this.#hosts?.tablesRefused(sent.names);
    return true;
  }

  #about(sub: Subscription): { stream: number; node: string; resourceType: TypeUrl } {
    return { stream: this.id, node: this.#node?.id ?? "", resourceType: sub.kind.type };
  }

  /** Notes that there is a change, and looks at it when it is this stream's turn: it may be one of ten thousand names for a thousand streams. */
  #viewChanged(changed: ChangedNames | undefined): void {
    if (this.#closed) return;
    try {
      if (this.#changes.add(changed)) this.#later();
      else this.#soon();
    } catch (error) {
      this.refuse(error);
    }
  }

  #soon(): void {
    if (this.#waitsForTurn) return;
    this.#waitsForTurn = true;
    this.#shared.turns.run(() => this.#turn());
  }

  #turn(): void {
    this.#waitsForTurn = false;
    if (this.#changes.isMuch) this.#shared.turns.finish(this.#comingAlong());
    else this.#goOn();
  }

  #goOn(): void {
    this.#sliceMs = sliceMs;
    this.#contained(() => {});
    this.#sliceMs = firstSliceMs;
  }

  *#comingAlong(): Steps<undefined> {
    try {
      yield* this.#changes.takeIn();
    } catch (error) {
      this.refuse(error);
    }
    this.#goOn();
    return undefined;
  }

  /** The view changed under the response that is being made. */
  #interrupt(): void {
    if (this.#making !== undefined) this.#givenUp++;
    this.#giveUp();
  }

  /** The response that is being made is not the newest any more, or may not be what is due. What streams share of it is kept. */
  #giveUp(): void {
    this.#making = undefined;
  }

  /** Writes what is due, one response at a time, until the transport is busy or nothing is due. */
  #pump(): void {
    if (this.#pumping) return;
    this.#pumping = true;
    try {
      while (!this.#writing && !this.#closed && this.#step());
    } finally {
      this.#pumping = false;
    }
  }

  #step(): boolean {
    this.#wake?.();
    this.#wake = undefined;
    const now = this.#shared.clock.now();
    if (this.#making !== undefined) return this.#make(now);
    let wakeAt = Infinity;
    for (const sub of this.#inOrder()) {
      const due = dueOf(sub, this.#ordered, this.#shared.answerTimeoutMs, now);
      if (due.at > now) wakeAt = Math.min(wakeAt, due.at);
      if (due.changes || due.removals) {
        if (sub.state === undefined) continue;
        this.#making = this.#begin(sub, sub.state, due.removals, now);
        return this.#make(now);
      }
    }
    if (wakeAt < Infinity) {
      this.#wake = this.#shared.clock.after(wakeAt - now, () => {
        if (!this.#changes.isMuch) this.#contained(() => {});
      });
    }
    return false;
  }

  /** Subscriptions in the order in which what is due of them goes. */
  #inOrder(): readonly Subscription[] {
    const hosts = this.#subscriptions.get(typeUrls.virtualHost);
    const tables = this.#subscriptions.get(typeUrls.route);
    if (hosts === undefined || tables === undefined || !(tables.owed || tables.pending.size > 0)) return this.#ordered;
    return this.#hosts?.goFirst(hosts) === true ? [hosts, ...this.#ordered] : this.#ordered;
  }

  #begin(sub: Subscription, state: TypeState, removals: boolean, now: number): Making {
    state.sync();
    const context: BuildContext = {
      now,
      controlPlane: this.#shared.controlPlane,
      warming: sub.kind.type === typeUrls.endpoint ? this.#warming.names : noNames,
      nextNonce: this.#shared.nextNonce,
    };
    // Names of which the client may be told now that they are gone.
    const dropped = removals ? [...sub.retired.keys()] : [];
    if (sub.filter !== undefined) withRefused(sub);
    const steps =
      sub.protocol === "sotw"
        ? buildSotw(sub, state, dropped.length > 0, context)
        : buildDelta(sub, state, dropped, context);
    if (sub.kind.type === typeUrls.cluster) return { sub, dropped, steps: withEndpointNames(steps) };
    return { sub, dropped, steps: sub.kind.type === typeUrls.endpoint ? this.#warming.withSent(steps) : steps };
  }

  /** Goes on with the response that is being made. Returns whether there may be more to do now. */
  #make(now: number): boolean {
    const making = this.#making;
    if (making === undefined) return true;
    const made = this.#slice(making.steps);
    if (made === undefined) {
      this.#later();
      return false;
    }
    this.#making = undefined;
    this.#givenUp = 0;
    const { sub, dropped } = making;
    if (dropped.length > 0) this.#dropRetired(sub);
    const outgoing = made.value;
    if (outgoing !== undefined && "frame" in outgoing) {
      this.#write(sub, outgoing, now);
      return true;
    }
    if (outgoing !== undefined) {
      sub.answered = true;
      sub.answers.holds(outgoing.holds, now);
    }
    sub.settle();
    return true;
  }

  /** Does steps for one slice; `undefined` where some are left. */
  #slice<T>(steps: Steps<T>): { readonly value: T } | undefined {
    const { monotonic, turns } = this.#shared;
    const began = monotonic();
    for (;;) {
      const next = steps.next();
      if (next.done === true) return { value: next.value };
      const spent = monotonic() - began;
      const isOver = spent < 0 || spent >= this.#sliceMs || turns.isFull(spent);
      if (isOver && this.#givenUp < patience) return undefined;
    }
  }

  #later(): void {
    if (this.#waitsForTurn) return;
    this.#waitsForTurn = true;
    this.#shared.turns.later(() => this.#turn());
  }

  /** The client is told now that these are gone. */
  #dropRetired(sub: Subscription): void {
    const forced = removesDespiteRefusal(sub, this.#ordered);
    const names = sub.takeRetired();
    if (sub.kind.type === typeUrls.cluster) this.#warming.clustersGone(names);
    if (forced && names.length > 0) {
      this.#shared.onEvent({ type: "removed-despite-refusal", ...this.#about(sub), names: names.length });
    }
  }

  #write(sub: Subscription, { frame, fresh }: OutgoingFrame, now: number): void {
    sub.answered = true;
    sub.answers.sent(frame, now + this.#shared.answerTimeoutMs, sub.backlog?.oldest ?? this.#changes.latest, now);
    sub.settle();
    this.#followWarming(sub, fresh, now);
    if (sub.kind.type === typeUrls.route && this.#hosts !== undefined) {
      this.#hosts.tablesSent(fresh, this.#subscriptions.get(typeUrls.virtualHost));
      this.#hurryHosts(this.#hosts);
    }
    this.#shared.onEvent({
      type: "sent",
      ...this.#about(sub),
      version: frame.version,
      nonce: frame.nonce,
      resources: frame.resources,
      removed: frame.removed,
      bytes: frame.length,
    });
    this.#writing = true;
    this.#call.write(frame.chunks, () => {
      this.#writing = false;
      if (!this.#changes.isMuch) this.#contained(() => {});
    });
  }

  /** A request may have changed which route tables the client has, or asked for their virtual hosts. */
  #followTables(sub: Subscription, request: DeltaRequest, first: boolean): void {
    if (this.#hosts === undefined) return;
    if (sub.kind.type === typeUrls.route) {
      const hosts = this.#subscriptions.get(typeUrls.virtualHost);
      const forgotten = this.#hosts.tablesAsked(sub, request, first, hosts);
      // At once: should the client ask for the table again, it must not believe that it still holds what was in it.
      hosts?.hurry(forgotten, this.#changes.latest, this.#shared.clock.now());
      if (first) this.#hurryHosts(this.#hosts);
    } else if (sub.kind.type === typeUrls.virtualHost && first) {
      this.#hosts.hostsAsked(request.initialVersions);
      this.#hurryHosts(this.#hosts);
    }
  }

  /** Virtual hosts follow a route table that was sent, at once. */
  #hurryHosts(discovered: DiscoveredHosts): void {
    const hosts = this.#subscriptions.get(typeUrls.virtualHost);
    hosts?.hurry(discovered.follow(hosts), this.#changes.latest, this.#shared.clock.now());
  }

  /** Endpoints follow a cluster that was sent; only an aggregated stream carries both. */
  #followWarming(sub: Subscription, fresh: readonly Resource[], now: number): void {
    if (this.#method.type !== undefined) return;
    if (sub.kind.type === typeUrls.endpoint) this.#warming.endpointsSent(fresh);
    if (sub.kind.type !== typeUrls.cluster) return;
    const endpoints = this.#subscriptions.get(typeUrls.endpoint);
    // Before the first request for endpoints nobody knows which ones the client will ask for.
    const names = this.#warming.clustersSent(fresh, endpoints);
    endpoints?.resend(names, this.#changes.latest, now);
  }
}
