import type { IncomingHttpHeaders, OutgoingHttpHeaders } from "node:http2";

/** Why a request is no gRPC call: an HTTP status and words for the event. */
export interface HttpRefusal {
  readonly status: number;
  readonly reason: string;
}

/**
 * Judges the request headers of a stream. `undefined` means that they open a gRPC call.
 * Source: grpc/doc/PROTOCOL-HTTP2.md, "Requests". A missing `te` is let pass, because proxies may take it off.
 */
export function refuseRequest(headers: IncomingHttpHeaders): HttpRefusal | undefined {
  const method = headers[":method"];
  if (method !== "POST") return { status: 405, reason: `method ${String(method)} is not POST` };
  const contentType = headers["content-type"] ?? "";
  if (!/^application\/grpc(?:$|[+;])/.test(contentType)) {
    return { status: 415, reason: `content-type "${contentType}" is not application/grpc` };
  }
  const te = headers["te"];
  if (te !== undefined && te !== "trailers") return { status: 400, reason: `te "${String(te)}" is not trailers` };
  return undefined;
}

/** Headers of the answer to a refused request. */
export function refusalHeaders(refusal: HttpRefusal): OutgoingHttpHeaders {
  return refusal.status === 405 ? { ":status": 405, allow: "POST" } : { ":status": refusal.status };
}

/** Headers that open the server's side of a gRPC call. */
export const responseHeaders: OutgoingHttpHeaders = {
  ":status": 200,
  "content-type": "application/grpc",
  "grpc-accept-encoding": "identity",
};

/** The last headers of a gRPC call. */
export function statusTrailers(code: number, message: string): OutgoingHttpHeaders {
  return message === ""
    ? { "grpc-status": String(code) }
    : { "grpc-status": String(code), "grpc-message": encodeStatusMessage(message) };
}

/** Percent-encodes all but printable ASCII, and `%`. Source: grpc/doc/PROTOCOL-HTTP2.md, "Percent-Encoded". */
export function encodeStatusMessage(message: string): string {
  let encoded = "";
  for (const byte of new TextEncoder().encode(message)) {
    encoded +=
      byte >= 0x20 && byte <= 0x7e && byte !== 0x25
        ? String.fromCharCode(byte)
        : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  }
  return encoded;
}

const millisecondsPerUnit: ReadonlyMap<string, number> = new Map([
  ["H", 3_600_000],
  ["M", 60_000],
  ["S", 1_000],
  ["m", 1],
  ["u", 0.001],
  ["n", 0.000_001],
]);

/** `grpc-timeout` in milliseconds; `undefined` when it is no timeout. Source: grpc/doc/PROTOCOL-HTTP2.md, "Timeout". */
export function parseTimeout(value: string): number | undefined {
  const match = /^(\d{1,8})([HMSmun])$/.exec(value);
  const unit = millisecondsPerUnit.get(match?.[2] ?? "");
  return match === null || unit === undefined ? undefined : Math.ceil(Number(match[1]) * unit);
}
