import { constants, performServerHandshake } from "node:http2";
import type { IncomingHttpHeaders, OutgoingHttpHeaders, ServerHttp2Session, ServerHttp2Stream } from "node:http2";
import type { Socket } from "node:net";
import { grpcStatus } from "../transport.ts";
import type { AcceptStream, Peer } from "../transport.ts";
import type { Turns } from "../turns.ts";
import { GrpcStream } from "./grpc-stream.ts";
import { refusalHeaders, refuseRequest, responseHeaders, statusTrailers } from "./headers.ts";
import type { TransportLimits } from "./limits.ts";
import type { PartialBudget } from "./message-reader.ts";

/** Megabytes that a session may hold before Node refuses new streams; the bounds that matter are in `TransportLimits`. */
const sessionMemoryMegabytes = 1024;

/** `NGHTTP2_ERR_PROTO`. Source: nghttp2.h. */
const protocolError = -505;

/** What a connection needs from its listener. */
export interface ConnectionContext {
  readonly limits: TransportLimits;
  readonly accept: AcceptStream;
  readonly turns: Turns;
  /** Monotonic milliseconds. */
  readonly now: () => number;
  /** The client has begun a stream. */
  readonly arrived: () => void;
  /** A connection, stream or message was turned away or cut off. */
  readonly refused: (peer: string, reason: string) => void;
}

/** One HTTP/2 connection with its streams. `check` must be called now and then: it applies all limits that are times. */
export class Connection {
  readonly peer: Peer;
  readonly #socket: Socket;
  readonly #session: ServerHttp2Session;
  readonly #context: ConnectionContext;
  readonly #streams = new Set<GrpcStream>();
  /** Streams that wait to be opened. */
  #coming = 0;
  readonly #lingering = new Map<ServerHttp2Stream, number>();
  readonly #partial: PartialBudget;
  readonly #waiting: PartialBudget;
  readonly #openedAt: number;
  readonly #ageMs: number;
  #ready = false;
  #served = false;
  /** What ended a stream last; an error of the connection ends all that are open. */
  #streamError: Error | undefined;
  #going = false;
  #bytesRead = 0;
  #aliveAt: number;
  #pinged = false;
  #emptySince: number;
  #destroyBy: number | undefined;

  constructor(socket: Socket, peer: Peer, context: ConnectionContext) {
    this.peer = peer;
    this.#socket = socket;
    this.#context = context;
    this.#partial = { held: 0, max: context.limits.partialBytes };
    this.#waiting = { held: 0, max: context.limits.partialBytes };
    this.#openedAt = this.#aliveAt = this.#emptySince = context.now();
    // Spread, so that clients that came together do not come back together.
    this.#ageMs = context.limits.connectionAgeMs * (0.9 + Math.random() * 0.2);
    this.#session = performServerHandshake(socket, {
      maxSessionMemory: sessionMemoryMegabytes,
      maxHeaderListPairs: context.limits.headers,
      settings: {
        maxConcurrentStreams: context.limits.streamsPerConnection,
        maxHeaderListSize: context.limits.headerListBytes,
      },
    });
    this.#listen();
  }

  /** Open gRPC calls. */
  get streams(): ReadonlySet<GrpcStream> {
    return this.#streams;
  }

  /** Applies the limits that are times. */
  check(): void {
    const now = this.#context.now();
    const { handshakeMs, idleMs, connectionAgeMs, connectionGraceMs } = this.#context.limits;
    if (this.#destroyBy !== undefined) {
      if (now >= this.#destroyBy) this.#socket.destroy();
      return;
    }
    if (!this.#ready && now - this.#openedAt >= handshakeMs) this.destroy("no HTTP/2 preface in time");
    else if (this.#streams.size + this.#coming === 0 && now - this.#emptySince >= idleMs)
      this.destroy("no stream for too long");
    else if (connectionAgeMs > 0 && !this.#going && now - this.#openedAt >= this.#ageMs) {
      this.go();
      this.endStreams("the connection has reached its age");
      this.#destroyBy = now + connectionGraceMs;
    } else {
      this.#checkLingering(now);
      this.#checkLife(now);
      this.#checkStuck(now);
    }
  }

  /** Asks the client to open no further stream here. The connection closes with its last stream. */
  go(): void {
    this.#going = true;
    if (!this.#session.destroyed) this.#session.close();
  }

  /** Ends all streams with UNAVAILABLE, after the message that each is sending. */
  endStreams(reason: string): void {
    for (const stream of this.#streams) stream.end(grpcStatus.unavailable, reason);
  }

  /** Closes the connection now, and makes sure of it on the next `check`. */
  destroy(reason: string): void {
    this.#context.refused(this.peer.address, reason);
    this.#destroyBy = this.#context.now();
    if (!this.#session.destroyed) this.#session.destroy();
  }

  #listen(): void {
    const session = this.#session;
    session.on("stream", (stream, headers) => {
      // "close" follows, and does all there is to do.
      stream.on("error", (error) => (this.#streamError = error));
      this.#context.arrived();
      // A thousand clients may come together. What a stream brings until its turn waits in it.
      this.#coming++;
      this.#context.turns.run(() => {
        this.#coming--;
        this.#openStream(stream, headers);
      });
    });
    session.once("remoteSettings", () => (this.#ready = true));
    session.on("error", (error: NodeJS.ErrnoException) => {
      // Errors of the system mean that the client is gone, which is its right. So does the GOAWAY of a grpc-go client that has closed its streams: it
      // names the highest stream there can be as the last one that it took, and the server opened none, which nghttp2 does not allow.
      const isGone = error.errno === protocolError && this.#served && this.#streamError !== error;
      if (error.code?.startsWith("ERR_HTTP2_") && !isGone)
        this.#context.refused(this.peer.address, `HTTP/2: ${error.message}`);
      this.#destroyBy = this.#context.now();
    });
    session.on("close", () => {
      // Some session errors leave the socket open for ever; it may still have a GOAWAY to send.
      this.#destroyBy ??= this.#context.now();
      this.#socket.destroySoon();
    });
  }

  #openStream(http: ServerHttp2Stream, headers: IncomingHttpHeaders): void {
    if (http.destroyed || http.closed) return;
    const refusal = refuseRequest(headers);
    if (refusal !== undefined) {
      this.#refuseStream(http, refusal.reason, refusalHeaders(refusal));
      return;
    }
    if (this.#going) {
      const status = statusTrailers(grpcStatus.unavailable, "the connection is closing");
      this.#refuseStream(http, "a stream on a closing connection", { ...responseHeaders, ...status });
      return;
    }
    const stream = new GrpcStream(http, headers, {
      peer: this.peer,
      receiveBytes: this.#context.limits.receiveBytes,
      partial: this.#partial,
      waiting: this.#waiting,
      accept: this.#context.accept,
      turns: this.#context.turns,
      now: this.#context.now,
      ended: () => this.#linger(http),
      refused: (reason) => this.#context.refused(this.peer.address, reason),
    });
    this.#served = true;
    this.#streams.add(stream);
    http.once("close", () => {
      this.#streams.delete(stream);
      if (this.#streams.size === 0) this.#emptySince = this.#context.now();
    });
  }

  #refuseStream(http: ServerHttp2Stream, reason: string, headers: OutgoingHttpHeaders): void {
    this.#context.refused(this.peer.address, reason);
    http.respond(headers, { endStream: true });
    this.#linger(http);
  }

  /**
   * Gives the client time to close its side. A reset at once would be right by RFC 9113, 8.1, but it overtakes trailers
   * that still wait for the socket, and the client would see a call without status.
   */
  #linger(http: ServerHttp2Stream): void {
    this.#lingering.set(http, this.#context.now());
    http.once("close", () => this.#lingering.delete(http));
  }

  #checkLingering(now: number): void {
    for (const [http, since] of this.#lingering) {
      if (now - since >= this.#context.limits.connectionGraceMs) http.close(constants.NGHTTP2_NO_ERROR);
    }
  }

  /** Inbound bytes, and progress of a message, are life; a ping of our own is not. */
  #checkLife(now: number): void {
    const { keepaliveMs, keepaliveTimeoutMs } = this.#context.limits;
    const read = this.#socket.bytesRead;
    if (read !== this.#bytesRead) {
      this.#bytesRead = read;
      this.#aliveAt = now;
    }
    // Only what is still pending counts: a short message leaves for the system's buffers even when nobody is there.
    for (const { stalledSince } of this.#streams) this.#aliveAt = Math.max(this.#aliveAt, stalledSince ?? 0);
    const silentMs = now - this.#aliveAt;
    if (keepaliveMs === 0 || silentMs < keepaliveMs) this.#pinged = false;
    else if (silentMs >= keepaliveMs + keepaliveTimeoutMs) this.destroy("no sign of life");
    else if (!this.#pinged && !this.#session.destroyed) {
      this.#pinged = true;
      this.#session.ping(() => {
        // The answer shows as inbound bytes.
      });
    }
  }

  #checkStuck(now: number): void {
    const { stuckMs } = this.#context.limits;
    if (stuckMs === 0) return;
    for (const stream of this.#streams) {
      if (stream.stalledSince !== undefined && now - stream.stalledSince >= stuckMs) {
        stream.reset("a message made no progress for too long");
      }
    }
  }
}
