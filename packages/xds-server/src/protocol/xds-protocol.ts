import type { TypeUrl } from "@signalbox/envoy-api";
import { systemXdsClock, type XdsClock } from "../clock.ts";
import type { ClientStatus, XdsEvent } from "../events.ts";
import type { ResourceSource } from "../source.ts";
import { grpcStatus, type AcceptStream } from "../transport.ts";
import { NameTable } from "./names.ts";
import { xdsMethods } from "./resource-kinds.ts";
import { Session } from "./session.ts";
import { ViewStates } from "./view-state.ts";

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
  /** Names in all subscriptions together; equal subscriptions count once. */
  readonly maxTotalNames: number;
}

/** The limits that hold where none are given. */
export const defaultXdsLimits: XdsLimits = {
  maxStreams: 20_000,
  maxTypes: 32,
  maxNames: 200_000,
  maxNameBytes: 4096,
  maxTotalNames: 5_000_000,
};

/** What `createXdsProtocol` needs. */
export interface XdsProtocolOptions {
  readonly source: ResourceSource;
  readonly clock?: XdsClock;
  readonly limits?: Partial<XdsLimits>;
  /**
   * How long to wait for a client's ACK or NACK before its next response of that type, and for one type before another
   * that refers to it. Milliseconds; 5000 by default.
   */
  readonly answerTimeoutMs?: number;
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
  /**
   * Refuses new streams and ends the open ones with UNAVAILABLE, evenly over `spreadMs`, so that clients do not reconnect
   * all at once. Resolves when none is open; when the signal aborts, the rest end at once.
   */
  drain(spreadMs: number, signal: AbortSignal): Promise<void>;
}

/** Speaks SotW and delta xDS, aggregated and by type, for whatever `source` holds. */
export function createXdsProtocol(options: XdsProtocolOptions): XdsProtocol {
  const clock = options.clock ?? systemXdsClock;
  const limits = { ...defaultXdsLimits, ...options.limits };
  const onEvent = options.onEvent ?? (() => {});
  const sessions = new Map<number, Session>();
  let drained: (() => void) | undefined;
  let draining = false;
  let streams = 0;
  let nonces = 0;
  const shared = {
    source: options.source,
    clock,
    names: new NameTable(),
    views: new ViewStates(),
    limits,
    answerTimeoutMs: options.answerTimeoutMs ?? 5000,
    controlPlane: options.controlPlane ?? "",
    onEvent,
    nextNonce: () => (++nonces).toString(36),
    onClosed: (stream: number) => {
      sessions.delete(stream);
      if (sessions.size === 0) drained?.();
    },
  };

  const accept: AcceptStream = (call) => {
    const method = xdsMethods.get(call.path);
    if (method === undefined) return undefined;
    const reason = draining ? "draining" : sessions.size >= limits.maxStreams ? "too many streams" : undefined;
    if (reason !== undefined) {
      onEvent({ type: "refused", peer: call.peer.address, reason });
      call.end(draining ? grpcStatus.unavailable : grpcStatus.resourceExhausted, reason);
      return { message: () => {}, closed: () => {} };
    }
    const session = new Session(++streams, call, method, shared);
    sessions.set(session.id, session);
    return session;
  };

  const drain = async (spreadMs: number, signal: AbortSignal): Promise<void> => {
    draining = true;
    const open = [...sessions.values()];
    const cancels: (() => void)[] = [];
    const end = (session: Session): void => session.end(grpcStatus.unavailable, "draining");
    const endAll = (): void => {
      for (const cancel of cancels) cancel();
      for (const session of open) end(session);
    };
    if (open.length === 0) return;
    const empty = new Promise<void>((resolve) => (drained = resolve));
    if (signal.aborted) endAll();
    else {
      for (const [at, session] of open.entries()) {
        cancels.push(clock.after((spreadMs * at) / open.length, () => end(session)));
      }
      signal.addEventListener("abort", endAll, { once: true });
    }
    await empty;
    signal.removeEventListener("abort", endAll);
  };

  return {
    accept,
    status: () => [...sessions.values()].map((session) => session.status()),
    watchedNames: (stream) => sessions.get(stream)?.watchedNames() ?? new Map(),
    drain,
  };
}
