import { readFileSync } from "node:fs";
import { request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";

/** Files in PEM form for a TLS connection. */
export interface TlsFiles {
  readonly caFile: string;
  readonly certFile?: string;
  readonly keyFile?: string;
}

/** Options of one request. */
export interface ApiRequest {
  readonly method?: string;
  /** Sent as JSON, unless it is text. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  /** Milliseconds until it is given up. 10 s by default. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

/** An answer of a server's API. */
export interface ApiAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
  /** The text read as JSON. Throws a SyntaxError when it is none. */
  json(): unknown;
}

/** Asks a server's API over a connection of its own, HTTP or HTTPS. Any status is an answer. Rejects when there is none. */
export function apiRequest(url: string, options: ApiRequest & { readonly tls?: TlsFiles } = {}): Promise<ApiAnswer> {
  const { method = "GET", body, headers = {}, timeoutMs = 10_000, tls, signal } = options;
  const timeout = AbortSignal.timeout(timeoutMs);
  const isText = typeof body === "string";
  const payload = body === undefined ? "" : isText ? body : JSON.stringify(body);
  const file = (path: string | undefined) => (path === undefined ? undefined : readFileSync(path));
  const settings = {
    method,
    agent: false as const,
    signal: signal === undefined ? timeout : AbortSignal.any([timeout, signal]),
    headers: {
      accept: "application/json",
      ...(payload !== "" && { "content-length": Buffer.byteLength(payload) }),
      ...(payload !== "" && !isText && { "content-type": "application/json" }),
      ...headers,
    },
    ...(tls && { ca: file(tls.caFile), cert: file(tls.certFile), key: file(tls.keyFile) }),
  };
  return new Promise((resolve, reject) => {
    const send = url.startsWith("https:") ? requestHttps : requestHttp;
    const request = send(url, settings, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => (text += chunk));
      response.on("error", reject);
      response.on("end", () => {
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          text,
          json: () => JSON.parse(text) as unknown,
        });
      });
    });
    request.on("error", reject);
    request.end(payload);
  });
}
