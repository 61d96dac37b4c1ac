import { HttpError } from "./http-error.ts";
import type { HttpFailure } from "./http-error.ts";

/** What is known about a request when it fails. */
export interface FailureContext {
  /** Without its query. */
  readonly url: string;
  /** Whether the client showed a certificate. */
  readonly withCertificate: boolean;
}

const connecting = new Set([
  "EACCES",
  "EADDRNOTAVAIL",
  "EAI_AGAIN",
  "EAI_FAIL",
  "ECONNREFUSED",
  "EHOSTDOWN",
  "EHOSTUNREACH",
  "EMFILE",
  "ENETDOWN",
  "ENETUNREACH",
  "ENOENT",
  "ENOTFOUND",
  "ETIMEDOUT",
  "UND_ERR_CONNECT_TIMEOUT",
]);
const cut = new Set([
  "ECONNABORTED",
  "ECONNRESET",
  "EPIPE",
  "HPE_CLOSED_CONNECTION",
  "HPE_INVALID_EOF_STATE",
  "UND_ERR_DESTROYED",
  "UND_ERR_RES_CONTENT_LENGTH_MISMATCH",
  "UND_ERR_SOCKET",
  "Z_BUF_ERROR",
]);
const handshake =
  /^(?:ERR_TLS_|ERR_SSL_|ERR_OSSL_|EPROTO$|CERT_|CRL_|UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|HOSTNAME_|INVALID_CA|INVALID_PURPOSE|PATH_LENGTH)/;

/** Classes what a connection, a parser or a decompressor threw. */
export function httpErrorOf(thrown: unknown, context: FailureContext): HttpError {
  if (thrown instanceof HttpError) return thrown;
  const { code, reason } = describe(thrown);
  const failure = failureOf(code);
  return new HttpError(failure, context.url, messageOf(failure, { reason, code }, context), { cause: thrown });
}

function failureOf(code: string): HttpFailure {
  if (connecting.has(code)) return "CONNECT";
  if (handshake.test(code)) return "TLS";
  if (code === "UND_ERR_HEADERS_OVERFLOW") return "TOO_LARGE";
  if (cut.has(code)) return "CUT";
  if (/^(?:HPE_|Z_|ERR_ZLIB)/.test(code)) return "ENCODING";
  return "CUT";
}

function messageOf(failure: HttpFailure, { reason, code }: Described, context: FailureContext): string {
  const { url, withCertificate } = context;
  const secure = url.startsWith("https:");
  // Our own look at the server's certificate has other codes.
  const fromPeer = /^(?:ERR_SSL_|EPROTO$)/.test(code);
  switch (failure) {
    case "CONNECT":
      return `cannot connect: ${reason}`;
    case "TLS":
      return `TLS failed: ${reason}${fromPeer && !withCertificate ? hint : ""}`;
    case "CUT":
      // A server that misses a client certificate may just close, after a handshake that looked well (TLS 1.3).
      return `the connection ended before the answer: ${reason}${secure && !withCertificate ? hint : ""}`;
    default:
      return `not a readable answer: ${reason}`;
  }
}

const hint = " (the server may require a client certificate)";

interface Described {
  readonly code: string;
  readonly reason: string;
}

/** The code and the words of an error; of several tries at several addresses, of all. */
function describe(thrown: unknown): Described {
  if (!(thrown instanceof Error)) return { code: "", reason: String(thrown) };
  const { code } = thrown as NodeJS.ErrnoException;
  const words = typeof code === "string" ? code : thrown.name === "HTTPParserError" ? parserCode(thrown) : "";
  if (thrown instanceof AggregateError && thrown.message === "") {
    const reasons = thrown.errors.map((error: unknown) => describe(error).reason);
    return { code: words, reason: reasons.join("; ") };
  }
  const cause = thrown.cause instanceof Error ? `: ${thrown.cause.message}` : "";
  return { code: words, reason: `${thrown.message}${cause}` };
}

// undici 7 loses the code of its parser; the words stay.
function parserCode({ message }: Error): string {
  return /\bEOF\b/.test(message) ? "HPE_INVALID_EOF_STATE" : "HPE_INVALID";
}
