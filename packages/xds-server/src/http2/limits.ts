/** Bounds of one listener. Times are milliseconds, sizes are bytes; `0` turns a time off where the comment says so. */
export interface TransportLimits {
  /** Largest message that a client may send. A larger one ends its stream with RESOURCE_EXHAUSTED before it is stored. */
  readonly receiveBytes: number;
  /** Memory for unfinished messages that one connection may hold, over all its streams. All of a message counts when an eighth of it has come, before that what came. */
  readonly partialBytes: number;
  /** Open streams on one connection. */
  readonly streamsPerConnection: number;
  /** Open connections on one listener. Further ones are closed at once. */
  readonly connections: number;
  /** Size of the request headers of one stream. */
  readonly headerListBytes: number;
  /** Number of request headers of one stream. */
  readonly headers: number;
  /**
   * From accept, or its turn where many come together, to the end of the HTTP/2 preface; with TLS to the end of the TLS handshake and again
   * from there.
   */
  readonly handshakeMs: number;
  /** A connection without streams is closed after this time. */
  readonly idleMs: number;
  /** A connection that sent nothing and took nothing for this long is pinged. `0`: never. */
  readonly keepaliveMs: number;
  /**
   * A pinged connection that then still shows no life is closed. A ping waits behind data that is already on its way, so
   * this must exceed the client's window divided by the slowest link: 16 MB at 1 MB/s is 16 s.
   */
  readonly keepaliveTimeoutMs: number;
  /** A stream whose pending message made no progress for this long is reset: the client does not read. `0`: never. */
  readonly stuckMs: number;
  /** Age, spread by ±10 %, after which a connection is asked to go. Spreads clients over servers behind one address. `0`: never. */
  readonly connectionAgeMs: number;
  /** Time that a client has to close its side of an ended stream, and that a connection asked to go has for unfinished messages. */
  readonly connectionGraceMs: number;
}

/** Limits when the user says nothing. */
export const defaultTransportLimits: TransportLimits = {
  receiveBytes: 4 * 1024 * 1024,
  partialBytes: 16 * 1024 * 1024,
  streamsPerConnection: 100,
  connections: 10_000,
  headerListBytes: 64 * 1024,
  headers: 128,
  handshakeMs: 10_000,
  idleMs: 60_000,
  keepaliveMs: 30_000,
  keepaliveTimeoutMs: 20_000,
  stuckMs: 60_000,
  connectionAgeMs: 0,
  connectionGraceMs: 5_000,
};
