import type { TypeUrl } from "@signalbox/envoy-api";
import type { Node } from "@signalbox/envoy-api/envoy/config/core/v3/base";
import { systemXdsClock, type XdsClock } from "../clock.ts";
import type { ClientStatus, XdsEvent } from "../events.ts";
import type { ResourceSource } from "../source.ts";
import { grpcStatus, type AcceptStream, type Peer } from "../transport.ts";
import { Turns } from "../turns.ts";
import { NameBudget } from "./name-budget.ts";
import { NameTable } from "./names.ts";
import { xdsMethods } from "./resource-kinds.ts";
import { Session } from "./session.ts";
import { ViewStates } from "./view-states.ts";

/** Bounds on what clients may ask for. Past one, that client's stream ends with RESOURCE_EXHAUSTED and a reason. */
export interface XdsLimits {
  /** Open streams. */
  readonly maxStreams: number;
  /** Resource types on one stream. */
  readonly maxTypes: number;
  /** Names in one subscription. */
  readonly maxNames: number;
  /** UTF-8 bytes of one name. */
  readonly maxNameBytes: number;
  /** Names in all subscriptions of one connection. */
  readonly maxConnectionNames: number;
  /**
   * Names in all subscriptions together; equal subscriptions count once. Past it, the stream ends whose connection asks
   * for most, whichever stream spoke last.
   */
  readonly maxTotalNames: number;
  /** Bytes of the node that a client sends with its first request. */
  readonly nodeBytes: number;
}

/** The limits that hold where none are given. */
export const defaultXdsLimits: XdsLimits = {
  maxStreams: 20_000,
  maxTypes: 32,
  maxNames: 200_000,
  maxNameBytes: 4096,
  maxConnectionNames: 500_000,
  maxTotalNames: 5_000_000,
  nodeBytes: 65_536,
};

/** What `createXdsProtocol` needs. */
export interface XdsProtocolOptions {
  readonly source: ResourceSource;
  readonly clock?: XdsClock;
  /** Divides the event loop between streams when a change goes to many of them. Without it each change is written to all at once. */
  readonly turns?: Turns;
  /** Monotonic milliseconds: with it, a large response is made in slices of 3 ms, between which the event loop turns. Without it, at once. */
  readonly monotonic?: () => number;
  readonly limits?: Partial<XdsLimits>;
  /**
   * How long to wait for a client's ACK or NACK before its next response of that type, and for one type before another
   * that refers to it. Milliseconds; 5000 by default.
   */
  readonly answerTimeoutMs?: number;
  /**
   * Called with the node of a stream's first request and whoever sent it. A returned text refuses the client: its stream
   * ends with PERMISSION_DENIED and this reason, before the source hears of it.
   */
  readonly authorize?: (node: Node, peer: Peer) => string | undefined;
  /** `control_plane.identifier` of every response; left out by default. */
  readonly controlPlane?: string;
  /** Called synchronously for everything that happens; must not throw. */
  readonly onEvent?: (event: XdsEvent) => void;
}

/** The xDS protocol on top of any transport. */
export interface XdsProtocol {
  /** Give this to the transport. */
  readonly accept: AcceptStream;
  /** One entry for each open stream, oldest first. */
  status(): ClientStatus[];
  /**
   * The names that a stream subscribed to, sorted, for each type that it asked for; the wildcard is not among them. Copied
   * out on each call. Empty for a stream that is not open.
   */
  watchedNames(stream: number): ReadonlyMap<TypeUrl, readonly string[]>;
}

/** Speaks SotW and delta xDS, aggregated and by type, for whatever `source` holds. */
export function createXdsProtocol(options: XdsProtocolOptions): XdsProtocol {
  const clock = options.clock ?? systemXdsClock;
  const limits = { ...defaultXdsLimits, ...options.limits };
  const onEvent = options.onEvent ?? (() => {});
  const sessions = new Map<number, Session>();
  let streams = 0;
  let nonces = 0;
  const names = new NameTable();
  const shared = {
    source: options.source,
    clock,
    turns: options.turns ?? new Turns(() => 0),
    monotonic: options.monotonic ?? (() => 0),
    inSlices: options.monotonic !== undefined,
    names,
    budget: new NameBudget(
      limits,
      () => names.size,
      () => sessions.values(),
    ),
    views: new ViewStates(),
    limits,
    answerTimeoutMs: options.answerTimeoutMs ?? 5000,
    authorize: options.authorize ?? (() => undefined),
    controlPlane: options.controlPlane ?? "",
    onEvent,
    nextNonce: () => (++nonces).toString(36),
    onClosed: (stream: number) => {
      sessions.delete(stream);
    },
  };

  const accept: AcceptStream = (call) => {
    const method = xdsMethods.get(call.path);
    if (method === undefined) return undefined;
    if (sessions.size >= limits.maxStreams) {
      const reason = "too many streams";
      onEvent({ type: "refused", peer: call.peer.address, reason });
      call.end(grpcStatus.resourceExhausted, reason);
      return { message: () => {}, closed: () => {} };
    }
    const session = new Session(++streams, call, method, shared);
    sessions.set(session.id, session);
    return session;
  };

  return {
    accept,
    status: () => [...sessions.values()].map((session) => session.status()),
    watchedNames: (stream) => sessions.get(stream)?.watchedNames() ?? new Map(),
  };
}
