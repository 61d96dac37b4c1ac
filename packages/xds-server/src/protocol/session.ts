import { typeUrls, type TypeUrl } from "@signalbox/envoy-api";
import type { Node } from "@signalbox/envoy-api/envoy/config/core/v3/base";
import type { XdsClock } from "../clock.ts";
import type { ClientStatus, XdsEvent } from "../events.ts";
import type { Resource } from "../resource.ts";
import type { ChangedNames, ResourceSource, ViewLease } from "../source.ts";
import { grpcStatus, type StreamCall, type StreamHandler } from "../transport.ts";
import { clientStatus } from "./client-status.ts";
import { buildDelta, subscribeDelta } from "./delta.ts";
import { changesWaitUntil, removalsWaitUntil } from "./gate.ts";
import type { NameTable } from "./names.ts";
import type { BuildContext, Outgoing } from "./outgoing.ts";
import {
  LimitExceededError,
  readDeltaRequest,
  readNode,
  readSotwRequest,
  type NameLimits,
  type RequestHead,
} from "./request.ts";
import { resourceKind, typeOfRequest, type XdsMethod } from "./resource-kinds.ts";
import { buildSotw, subscribeSotw, type ReceiveContext } from "./sotw.ts";
import { Subscription } from "./subscription.ts";
import type { ViewStates } from "./view-state.ts";
import { Warming } from "./warming.ts";
import { MalformedRequestError } from "./wire.ts";

/** What all streams of one server share. */
export interface SessionShared {
  readonly source: ResourceSource;
  readonly clock: XdsClock;
  readonly names: NameTable;
  readonly views: ViewStates;
  readonly limits: NameLimits & { readonly maxTypes: number; readonly maxTotalNames: number };
  /** How long one response, or an order between types, is waited for. Milliseconds. */
  readonly answerTimeoutMs: number;
  readonly controlPlane: string;
  readonly onEvent: (event: XdsEvent) => void;
  readonly nextNonce: () => string;
  readonly onClosed: (stream: number) => void;
}

const noNames: ReadonlySet<string> = new Set();

/** One stream: reads requests, keeps a subscription for each type, and writes what is due in the right order. */
export class Session implements StreamHandler {
  readonly id: number;
  readonly #call: StreamCall;
  readonly #method: XdsMethod;
  readonly #shared: SessionShared;
  readonly #connectedAt: number;
  /** In response order. */
  readonly #subscriptions = new Map<TypeUrl, Subscription>();
  #ordered: readonly Subscription[] = [];
  #node: Node | undefined;
  #lease: ViewLease | undefined;
  #change = 0;
  readonly #warming = new Warming();
  #writing = false;
  #pumping = false;
  #closed = false;
  #wake: (() => void) | undefined;

  constructor(id: number, call: StreamCall, method: XdsMethod, shared: SessionShared) {
    this.id = id;
    this.#call = call;
    this.#method = method;
    this.#shared = shared;
    this.#connectedAt = shared.clock.now();
    shared.onEvent({ type: "stream-open", stream: id, peer: call.peer.address, method: call.path });
  }

  message(bytes: Uint8Array): void {
    this.#contained(() => {
      if (this.#method.protocol === "sotw") this.#receiveSotw(bytes);
      else this.#receiveDelta(bytes);
    });
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
  #contained(task: () => void): void {
    if (this.#closed) return;
    try {
      task();
      this.#pump();
    } catch (error) {
      this.#refuse(error);
    }
  }

  #refuse(error: unknown): void {
    const reason = error instanceof Error ? error.message : String(error);
    this.#shared.onEvent({ type: "refused", peer: this.#call.peer.address, reason });
    if (error instanceof MalformedRequestError) this.end(grpcStatus.invalidArgument, reason);
    else if (error instanceof LimitExceededError) this.end(grpcStatus.resourceExhausted, reason);
    else this.end(grpcStatus.internal, "internal error");
  }

  #close(reason: string): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#wake?.();
    this.#lease?.release();
    for (const sub of this.#ordered) sub.close(this.#shared.views, this.#shared.names);
    this.#shared.onClosed(this.id);
    this.#shared.onEvent({ type: "stream-close", stream: this.id, node: this.#node?.id ?? "", reason });
  }

  #receiveSotw(bytes: Uint8Array): void {
    const request = readSotwRequest(
      bytes,
      this.#ordered.flatMap((sub) => sub.run?.run ?? []),
    );
    this.#identify(request);
    const { sub, first } = this.#subscription(request);
    if (!first && request.nonce !== "" && request.nonce !== sub.nonce) {
      this.#stale(sub, request.nonce);
      return;
    }
    this.#answer(sub, request);
    subscribeSotw(sub, request, first, this.#receiveContext());
    this.#limitTotal();
  }

  #receiveDelta(bytes: Uint8Array): void {
    const request = readDeltaRequest(bytes, this.#shared.limits);
    this.#identify(request);
    const { sub, first } = this.#subscription(request);
    // A stale nonce is no answer, but what the request says about names counts all the same.
    if (!first && request.nonce !== "" && request.nonce !== sub.nonce) this.#stale(sub, request.nonce);
    else this.#answer(sub, request);
    subscribeDelta(sub, request, first, this.#receiveContext());
    this.#limitTotal();
  }

  #receiveContext(): ReceiveContext {
    const { clock, names, limits } = this.#shared;
    return { change: this.#change, now: clock.now(), names, limits };
  }

  #limitTotal(): void {
    const { names, limits } = this.#shared;
    if (names.size > limits.maxTotalNames) {
      throw new LimitExceededError(`more than ${limits.maxTotalNames} resource names subscribed on this server`);
    }
  }

  /** Takes the node from the first request; later ones are not looked at. */
  #identify(request: RequestHead): void {
    if (this.#node !== undefined) return;
    if (request.node === undefined) throw new MalformedRequestError("the first request of a stream carries no node");
    const node = readNode(request.node);
    this.#node = node;
    this.#shared.onEvent({ type: "stream-node", stream: this.id, node: node.id });
    this.#lease = this.#shared.source.acquire(node, (changed) => this.#contained(() => this.#changed(changed)));
  }

  #subscription(request: RequestHead): { sub: Subscription; first: boolean } {
    const type = typeOfRequest(this.#method, request.typeUrl);
    const known = this.#subscriptions.get(type);
    if (known !== undefined) return { sub: known, first: false };
    if (this.#subscriptions.size >= this.#shared.limits.maxTypes) {
      throw new LimitExceededError(`more than ${this.#shared.limits.maxTypes} resource types on one stream`);
    }
    const sub = new Subscription(resourceKind(type), this.#method.protocol);
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

  #answer(sub: Subscription, request: RequestHead): void {
    const { nonce, error } = request;
    if (nonce === "" || nonce !== sub.nonce || !sub.answer(error, this.#shared.clock.now())) return;
    const about = this.#about(sub);
    if (error === undefined) this.#shared.onEvent({ type: "acked", ...about, nonce });
    else this.#shared.onEvent({ type: "nacked", ...about, version: sub.sentVersion ?? "", nonce, error });
  }

  #about(sub: Subscription): { stream: number; node: string; resourceType: TypeUrl } {
    return { stream: this.id, node: this.#node?.id ?? "", resourceType: sub.kind.type };
  }

  #changed(changed: ChangedNames | undefined): void {
    const now = this.#shared.clock.now();
    this.#change++;
    if (changed === undefined) {
      const view = this.#lease?.current();
      for (const sub of this.#ordered) {
        if (sub.view !== view) sub.moveTo(view, this.#shared.views, this.#change, now);
      }
    } else {
      for (const [type, names] of changed) {
        const sub = this.#subscriptions.get(type);
        if (sub === undefined) continue;
        sub.state?.sync(names);
        sub.change(names, this.#change, now);
      }
    }
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
    let wakeAt = Infinity;
    for (const sub of this.#ordered) {
      const due = this.#due(sub, now);
      if (due.at > now) wakeAt = Math.min(wakeAt, due.at);
      if (due.changes || due.removals) {
        const outgoing = this.#build(sub, due.removals, now);
        if (outgoing !== undefined) {
          this.#write(sub, outgoing, now);
          return true;
        }
      }
    }
    if (wakeAt < Infinity) this.#wake = this.#shared.clock.after(wakeAt - now, () => this.#contained(() => {}));
    return false;
  }

  /** What of a subscription may go now, and when to look again at what may not. */
  #due(sub: Subscription, now: number): { changes: boolean; removals: boolean; at: number } {
    const nothing = { changes: false, removals: false, at: 0 };
    if (sub.state === undefined) return nothing;
    const wantsChanges = sub.owed || sub.pending.size > 0;
    const wantsRemovals = sub.retired.size > 0;
    if (!wantsChanges && !wantsRemovals) return nothing;
    const { answerTimeoutMs } = this.#shared;
    const changesAt = wantsChanges ? changesWaitUntil(sub, this.#ordered, answerTimeoutMs) : Infinity;
    const removalsAt = wantsRemovals ? removalsWaitUntil(sub, this.#ordered, answerTimeoutMs) : Infinity;
    const later = [changesAt, removalsAt].filter((at) => at > now);
    const at = Math.min(...later);
    return { changes: changesAt <= now, removals: removalsAt <= now, at: at === Infinity ? 0 : at };
  }

  #build(sub: Subscription, removals: boolean, now: number): Outgoing | undefined {
    const { state } = sub;
    if (state === undefined) return undefined;
    state.sync();
    const context: BuildContext = {
      now,
      controlPlane: this.#shared.controlPlane,
      warming: sub.kind.type === typeUrls.endpoint ? this.#warming.names : noNames,
      nextNonce: this.#shared.nextNonce,
    };
    const dropped = removals ? sub.takeRetired() : [];
    const outgoing =
      sub.protocol === "sotw"
        ? buildSotw(sub, state, dropped.length > 0, context)
        : buildDelta(sub, state, dropped, context);
    if (outgoing === undefined) sub.settle();
    return outgoing;
  }

  #write(sub: Subscription, { frame, fresh }: Outgoing, now: number): void {
    sub.sent(frame.version, frame.nonce, now + this.#shared.answerTimeoutMs, sub.backlog?.oldest ?? this.#change, now);
    sub.settle();
    this.#followWarming(sub, fresh, now);
    this.#shared.onEvent({
      type: "sent",
      ...this.#about(sub),
      version: frame.version,
      nonce: frame.nonce,
      resources: frame.resources,
      removed: frame.removed,
      bytes: frame.bytes.length,
    });
    this.#writing = true;
    this.#call.write([frame.bytes], () => {
      this.#writing = false;
      this.#contained(() => {});
    });
  }

  /** Endpoints follow a cluster that was sent; only an aggregated stream carries both. */
  #followWarming(sub: Subscription, fresh: readonly Resource[], now: number): void {
    if (this.#method.type !== undefined) return;
    if (sub.kind.type === typeUrls.endpoint) this.#warming.endpointsSent(fresh);
    if (sub.kind.type !== typeUrls.cluster) return;
    const names = this.#warming.clustersSent(fresh);
    this.#subscriptions.get(typeUrls.endpoint)?.resend(names, this.#change, now);
  }
}
