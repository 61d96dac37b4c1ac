import type { Steps } from "@signalbox/slices";

/** Who is at the other end. One object for all streams of a connection: bounds for a connection are counted by it. */
export interface Peer {
  /** `address:port` of the socket. */
  readonly address: string;
  /** Subject alternative names of the verified client certificate, for example `spiffe://cluster.local/ns/default/sa/web`. Empty without mTLS. */
  readonly identities: readonly string[];
}

/** gRPC status codes that the server uses. Source: grpc/doc/statuscodes.md. */
export const grpcStatus = {
  ok: 0,
  cancelled: 1,
  invalidArgument: 3,
  deadlineExceeded: 4,
  permissionDenied: 7,
  resourceExhausted: 8,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
} as const;

/** One gRPC stream as the protocol code sees it: messages, not HTTP/2. */
export interface StreamCall {
  /** Full method name: `/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources`. */
  readonly path: string;
  readonly peer: Peer;
  /**
   * Sends one gRPC message that already carries its 5-byte prefix, as chunks that are never copied and may be shared
   * with other streams. `done` is called once, when the message has left for the socket or the stream is gone.
   * At most one message may be unfinished.
   */
  write(frame: readonly Uint8Array[], done: () => void): void;
  /** Ends the stream with a status. Nothing may be written afterwards. */
  end(code: number, message: string): void;
}

/** What a stream tells the protocol code. */
export interface StreamHandler {
  /**
   * One message from the client, without its prefix. Whoever keeps bytes of it copies them: they may be a window on much more.
   * A large one may be taken in steps, which are returned: the next message comes after the last of them. They are dropped when
   * the stream ends, so they hold nothing that somebody has to release.
   */
  message(bytes: Uint8Array): Steps<undefined> | undefined;
  /** The client half-closed, reset or vanished, or the server ended the stream. Called exactly once. */
  closed(): void;
}

/** Decides about a new stream: `undefined` answers UNIMPLEMENTED. */
export type AcceptStream = (call: StreamCall) => StreamHandler | undefined;
