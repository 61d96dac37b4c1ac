/**
 * Why there was no whole answer.
 *
 * - `CONNECT`: no connection (name, address, port, time to connect).
 * - `TLS`: the handshake failed, on either side.
 * - `TIMEOUT`: no head of an answer within `headMs`.
 * - `IDLE`: the body was silent for `idleMs`.
 * - `TOO_LARGE`: more than `maxBytes`, or a head of more than 16 KiB.
 * - `CUT`: the connection ended before the answer did.
 * - `ENCODING`: what came is no HTTP, or not in the encoding it claims.
 * - `CREDENTIALS`: a certificate, key, password or token could not be read, so nothing was sent.
 * - `ABORTED`: the caller ended the request or closed the client.
 */
export type HttpFailure =
  "CONNECT" | "TLS" | "TIMEOUT" | "IDLE" | "TOO_LARGE" | "CUT" | "ENCODING" | "CREDENTIALS" | "ABORTED";

/** What a failure says about the upstream; `@signalbox/registry` calls it the problem of a source. */
export type HttpProblem = "UNREACHABLE" | "AUTH_FAILED" | "PROTOCOL_ERROR";

const problems: Readonly<Record<HttpFailure, HttpProblem>> = {
  CONNECT: "UNREACHABLE",
  TLS: "AUTH_FAILED",
  TIMEOUT: "UNREACHABLE",
  IDLE: "UNREACHABLE",
  TOO_LARGE: "PROTOCOL_ERROR",
  CUT: "UNREACHABLE",
  ENCODING: "PROTOCOL_ERROR",
  CREDENTIALS: "AUTH_FAILED",
  ABORTED: "UNREACHABLE",
};

/** Thrown when there was no whole answer. Neither the message nor the URL holds a secret; the cause is as it was thrown. */
export class HttpError extends Error {
  readonly code = "SBX_HTTP";
  readonly failure: HttpFailure;
  /** Without its query. */
  readonly url: string;

  constructor(failure: HttpFailure, url: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "HttpError";
    this.failure = failure;
    this.url = url;
  }

  /** What to make of it: who has to look, and where. */
  get problem(): HttpProblem {
    return problems[this.failure];
  }
}

/** Thrown by `createHttpClient` for options that cannot work. */
export class HttpOptionsError extends Error {
  readonly code = "SBX_HTTP_OPTIONS";
  /** The option at fault, for example `tls.key`. */
  readonly option: string;

  constructor(option: string, message: string) {
    super(`${option}: ${message}`);
    this.name = "HttpOptionsError";
    this.option = option;
  }
}
