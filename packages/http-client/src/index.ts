/** How an upstream is reached. Files are read again when they change; what cannot be used keeps the old content. */
export interface HttpClientOptions {
  /** `http://…` or `https://…`, with an optional base path. No credentials in it. */
  readonly url: string;
  readonly tls?: HttpTls;
  readonly auth?: HttpAuth;
  /** Connections that may be open at once. Default 16. */
  readonly connections?: number;
  /** Time to connect, TLS included, in milliseconds. Default 5000. */
  readonly connectMs?: number;
  /** Sent with every request. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** TLS to an upstream. Each member is PEM text or a file that may be replaced while the client runs. */
export interface HttpTls {
  readonly ca?: PemSource;
  readonly cert?: PemSource;
  readonly key?: PemSource;
  readonly serverName?: string;
  /** Accepts any certificate. Default false. */
  readonly insecureSkipVerify?: boolean;
}

export type PemSource = { readonly file: string } | { readonly pem: string };

/** Who the client says it is. A token from a file is read again when the file changes and after an answer of 401 or 403. */
export type HttpAuth =
  | { readonly type: "basic"; readonly username: string; readonly password: SecretSource }
  | { readonly type: "bearer"; readonly token: SecretSource }
  /** For example `X-Consul-Token`. */
  | { readonly type: "header"; readonly name: string; readonly value: SecretSource };

export type SecretSource = { readonly file: string } | { readonly value: string } | { get(): Promise<string> };

/** One request. */
export interface HttpRequest {
  readonly method?: "GET" | "POST" | "PUT" | "DELETE" | "PATCH";
  /** Path and query, joined to the base path of the client's URL. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly signal: AbortSignal;
  /** Time until the head of the answer is there, in milliseconds. */
  readonly headMs: number;
  /** Longest silence while the body arrives, in milliseconds; for watches, the watchdog. */
  readonly idleMs: number;
  /** Bytes of the body after decompression; past it the request fails. Counts the whole body, or for `lines` one line. */
  readonly maxBytes: number;
}

/** An answer whose head is there. Its body must be read or dropped. */
export interface HttpAnswer {
  readonly status: number;
  /** Lower-case names; values joined by a comma. */
  readonly headers: ReadonlyMap<string, string>;
  /** The whole body. Rejects with an HttpError when it is cut, too large or too slow. */
  text(): Promise<string>;
  /** The body line by line, as it arrives; a cut last line is an error. */
  lines(): AsyncIterable<string>;
  /** Lets the connection go. */
  drop(): void;
}

/** HTTP to one upstream. Redirects are answers, not followed. */
export interface HttpClient {
  request(request: HttpRequest): Promise<HttpAnswer>;
  /** Ends all requests and closes every connection. */
  close(): Promise<void>;
}

/** Why there was no whole answer. */
export type HttpFailure =
  "CONNECT" | "TLS" | "TIMEOUT" | "IDLE" | "TOO_LARGE" | "CUT" | "ENCODING" | "CREDENTIALS" | "ABORTED";

/** Thrown when there was no whole answer. */
export class HttpError extends Error {
  readonly code = "SBX_HTTP";
  readonly failure: HttpFailure;
  readonly url: string;

  constructor(failure: HttpFailure, url: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "HttpError";
    this.failure = failure;
    this.url = url;
  }
}
