import { once } from "node:events";
import { createServer } from "node:net";
import type { AddressInfo, Server, Socket } from "node:net";
import { performance } from "node:perf_hooks";
import { setImmediate as nextTurn, setTimeout as delay } from "node:timers/promises";
import { createServer as createTlsServer } from "node:tls";
import type { SecureContextOptions, Server as TlsServer, TLSSocket } from "node:tls";
import { each, type Steps } from "@signalbox/slices";
import { grpcStatus } from "../transport.ts";
import type { AcceptStream } from "../transport.ts";
import { peerIdentities } from "../tls/identities.ts";
import { Turns } from "../turns.ts";
import { Arrivals, type ArrivalLimits } from "./arrivals.ts";
import { Connection } from "./connection.ts";
import type { TransportLimits } from "./limits.ts";

/** Of connections that come together. With TLS each costs the event loop about a millisecond before it is a connection. */
const plaintextArrivals: ArrivalLimits = { max: 64, patienceMs: 10, longestMs: 500 };
const tlsArrivals: ArrivalLimits = { max: 12, patienceMs: 10, longestMs: 500 };
const longestSweepMs = 1_000;
const shortestSweepMs = 10;
const drainStepMs = 20;

/** How to make a listener. */
export interface GrpcListenerOptions {
  readonly accept: AcceptStream;
  readonly limits: TransportLimits;
  /** With certificates the listener speaks TLS and takes only clients whose certificate the CA signed. */
  readonly tls?: SecureContextOptions;
  /** A connection, stream or message was turned away or cut off. */
  readonly onRefused: (peer: string, reason: string) => void;
}

/** What a listener holds. */
export interface GrpcListenerStatus {
  /** Sockets, with those that are not yet through their handshake. */
  readonly sockets: number;
  readonly connections: number;
  readonly streams: number;
}

/**
 * A gRPC server for bidirectional streams on `node:http2`. It owns its sockets: everything that a client opens is
 * closed again by a limit, by `drain` or by `close`, whatever the client does.
 */
export class GrpcListener {
  readonly #options: GrpcListenerOptions;
  readonly #server: Server;
  readonly #tlsServer: TlsServer | undefined;
  readonly #sockets = new Set<Socket>();
  readonly #connections = new Set<Connection>();
  readonly #turns = new Turns(() => performance.now());
  readonly #arrivals: Arrivals;
  /** What to call when a connection with TLS has arrived, by its address. */
  readonly #inHandshake = new Map<string, () => void>();
  readonly #sweepMs: number;
  #sweep: NodeJS.Timeout | undefined;
  #sweptAt = 0;
  #checking = false;
  #now = 0;
  #closing: Promise<void> | undefined;
  /** When the last stream is to be ended, by `performance.now`. */
  #drainedBy = Infinity;

  constructor(options: GrpcListenerOptions) {
    this.#options = options;
    this.#sweepMs = sweepEvery(options.limits);
    const { limits, tls } = options;
    this.#server = createServer({ noDelay: true }, (socket) => this.#accept(socket));
    this.#arrivals = new Arrivals(this.#turns, tls === undefined ? plaintextArrivals : tlsArrivals);
    if (tls !== undefined) {
      // It has no port of its own: it is given the sockets that were let in.
      this.#tlsServer = createTlsServer({
        ...tls,
        requestCert: true,
        rejectUnauthorized: true,
        ALPNProtocols: ["h2"],
        minVersion: "TLSv1.2",
        handshakeTimeout: limits.handshakeMs,
      });
      this.#acceptTls(this.#tlsServer);
    }
    this.#server.maxConnections = limits.connections;
    this.#server.on("drop", (data) => {
      options.onRefused(`${data?.remoteAddress ?? ""}:${data?.remotePort ?? 0}`, "too many connections");
    });
  }

  /**
   * Opens the port. Rejects with the system's error, for example `EADDRINUSE`, and with no port open when the listener was
   * closed before or meanwhile.
   */
  async listen(port: number, host: string): Promise<AddressInfo> {
    if (this.#isClosing()) throw new Error("the listener is closed");
    await this.#open(port, host);
    if (this.#isClosing()) throw new Error("the listener is closed");
    this.#server.on("error", (error) => this.#options.onRefused("", `accept: ${error.message}`));
    this.#sweptAt = performance.now();
    this.#sweep = setInterval(() => this.#check(), this.#sweepMs);
    const address = this.#server.address();
    if (address === null || typeof address === "string") throw new Error("the listener has no port");
    return address;
  }

  async #open(port: number, host: string): Promise<void> {
    const server = this.#server;
    // Closed before the port is open, Node may say "listening" or not.
    server.once("listening", () => {
      if (this.#isClosing()) server.close();
    });
    await new Promise<void>((resolve, reject) => {
      const closed = (): void => reject(new Error("the listener is closed"));
      server.once("error", reject);
      server.once("close", closed);
      server.listen({ port, host }, () => {
        server.off("error", reject);
        server.off("close", closed);
        resolve();
      });
    });
  }

  /** Certificates for connections from now on. Open connections stay as they are. */
  setSecureContext(tls: SecureContextOptions): void {
    this.#tlsServer?.setSecureContext(tls);
  }

  /** Counts of what is open now. */
  status(): GrpcListenerStatus {
    let streams = 0;
    for (const connection of this.#connections) streams += connection.streams.size;
    return { sockets: this.#sockets.size, connections: this.#connections.size, streams };
  }

  /**
   * Stops listening, asks all clients to go, ends their streams with UNAVAILABLE one by one over `ms` milliseconds, gives
   * unfinished messages the connection grace, then destroys what is left. Resolves when the last socket is gone.
   * Later calls get the promise of the first, and may shorten the time that it has left, as does the signal: then all
   * streams end at once.
   */
  drain(ms: number, signal?: AbortSignal): Promise<void> {
    this.#shorten(signal?.aborted === true ? 0 : ms);
    const now = (): void => this.#shorten(0);
    signal?.addEventListener("abort", now, { once: true });
    this.#closing ??= this.#drain();
    void this.#closing.then(() => signal?.removeEventListener("abort", now));
    return this.#closing;
  }

  #shorten(ms: number): void {
    this.#drainedBy = Math.min(this.#drainedBy, performance.now() + Math.max(0, ms));
  }

  #isClosing(): boolean {
    return this.#closing !== undefined;
  }

  /** As `drain(0)`. */
  close(): Promise<void> {
    return this.drain(0);
  }

  /** A thousand clients may come together. What a socket reads until it is let in it gives to TLS or HTTP/2 then. */
  #accept(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on("error", () => {
      // "close" follows; HTTP/2 and TLS report what matters.
    });
    socket.once("close", () => this.#sockets.delete(socket));
    if (this.#closing !== undefined) socket.destroy();
    else this.#arrivals.take((arrived) => this.#letIn(socket, arrived));
  }

  #letIn(socket: Socket, arrived: () => void): void {
    if (socket.destroyed || this.#closing !== undefined) {
      socket.destroy();
      arrived();
      return;
    }
    socket.once("close", arrived);
    if (this.#tlsServer === undefined) {
      this.#connect(socket, [], arrived);
      return;
    }
    const address = addressOf(socket);
    this.#inHandshake.set(address, arrived);
    socket.once("close", () => this.#inHandshake.delete(address));
    this.#tlsServer.emit("connection", socket);
  }

  #acceptTls(server: TlsServer): void {
    server.on("tlsClientError", (error, socket) => {
      this.#options.onRefused(addressOf(socket), tlsReason(error, socket));
      socket.destroy();
    });
    server.on("secureConnection", (socket) => {
      socket.on("error", () => {
        // As above: "close" follows.
      });
      const address = addressOf(socket);
      const arrived = this.#inHandshake.get(address) ?? (() => {});
      this.#inHandshake.delete(address);
      if (socket.alpnProtocol === "h2")
        this.#turns.run(() => this.#connect(socket, socket.destroyed ? [] : peerIdentities(socket), arrived));
      else {
        this.#options.onRefused(addressOf(socket), "TLS: the client did not offer h2");
        socket.destroy();
      }
    });
  }

  #connect(socket: Socket, identities: readonly string[], arrived: () => void): void {
    if (socket.destroyed || this.#closing !== undefined) {
      socket.destroy();
      return;
    }
    const connection = new Connection(
      socket,
      { address: addressOf(socket), identities },
      {
        limits: this.#options.limits,
        accept: this.#options.accept,
        turns: this.#turns,
        now: () => this.#now,
        arrived,
        refused: this.#options.onRefused,
      },
    );
    this.#connections.add(connection);
    socket.once("close", () => this.#connections.delete(connection));
  }

  /**
   * The listener's own time passes from check to check, and never faster than checks are due: when this process was busy
   * or stopped, clients are not blamed for answers that it did not read.
   */
  #check(): void {
    // The last round may still be under way.
    if (this.#checking) return;
    const time = performance.now();
    this.#now += Math.min(time - this.#sweptAt, 2 * this.#sweepMs);
    this.#sweptAt = time;
    this.#turns.finish(this.#checkAll());
  }

  *#checkAll(): Steps<undefined> {
    this.#checking = true;
    try {
      return yield* each(this.#connections, (connection) => connection.check());
    } finally {
      this.#checking = false;
    }
  }

  async #drain(): Promise<void> {
    const closed = new Promise<void>((resolve) => {
      // An error means that it never listened: there is nothing to wait for.
      this.#server.close(() => resolve());
    });
    for (const connection of this.#connections) connection.go();
    const streams = [...this.#connections].flatMap((connection) => [...connection.streams]);
    const startedAt = performance.now();
    let ended = 0;
    while (ended < streams.length) {
      const now = performance.now();
      const due =
        now >= this.#drainedBy
          ? streams.length
          : Math.ceil(((now - startedAt) / (this.#drainedBy - startedAt)) * streams.length);
      for (; ended < due; ended += 1) streams[ended]?.end(grpcStatus.unavailable, "the server is shutting down");
      if (ended < streams.length) await delay(drainStepMs);
    }
    const grace = setTimeout(() => {
      for (const socket of this.#sockets) socket.destroy();
    }, this.#options.limits.connectionGraceMs);
    await closed;
    // The server closes a moment before the last socket says so.
    await Promise.all([...this.#sockets].map((socket) => once(socket, "close")));
    clearTimeout(grace);
    // What their streams leave behind is cleared away in turns.
    while (this.#turns.waiting > 0) await nextTurn();
    clearInterval(this.#sweep);
  }
}

function sweepEvery(limits: TransportLimits): number {
  const times = [
    limits.handshakeMs,
    limits.idleMs,
    limits.keepaliveMs,
    limits.keepaliveTimeoutMs,
    limits.stuckMs,
    limits.connectionAgeMs,
    limits.connectionGraceMs,
  ].filter((ms) => ms > 0);
  return Math.max(shortestSweepMs, Math.min(longestSweepMs, Math.min(...times) / 4));
}

/** What OpenSSL says in words, or why Node did not take the client's certificate. */
function tlsReason(error: Error & { readonly reason?: string }, socket: TLSSocket): string {
  // The declared type is Error; at run time it is an OpenSSL code, or null.
  const certificate: unknown = socket.authorizationError;
  return `TLS: ${typeof certificate === "string" ? certificate : (error.reason ?? error.message)}`;
}

function addressOf(socket: Socket): string {
  const address = socket.remoteAddress ?? "";
  return `${address.includes(":") ? `[${address}]` : address}:${socket.remotePort ?? 0}`;
}
