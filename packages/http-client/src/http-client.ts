/** How an upstream is reached. Files are read again when they change; what cannot be used keeps the old content. */
export interface HttpClientOptions {
  /** `http://…` or `https://…`, with an optional base path. No credentials, query or fragment in it. */
  readonly url: string;
  readonly tls?: HttpTls;
  readonly auth?: HttpAuth;
  /** Connections that may be open at once. More requests than that wait, and their `headMs` runs. Default 16. */
  readonly connections?: number;
  /** Time to connect, TLS included, in milliseconds; exact to half a second. Default 5000. */
  readonly connectMs?: number;
  /** Sent with every request. */
  readonly headers?: Readonly<Record<string, string>>;
  /**
   * Told once for each new content of the files that cannot be used, in words without secrets; the old content stays in
   * use. Must not throw.
   */
  readonly onRejected?: (reason: string) => void;
}

/** TLS to an upstream. Each member is PEM text or a file that may be replaced while the client runs. */
export interface HttpTls {
  /** Authorities of the upstream's certificate, instead of the well-known ones. */
  readonly ca?: PemSource;
  /** The client's certificate, followed by intermediate ones. Needs `key`. */
  readonly cert?: PemSource;
  readonly key?: PemSource;
  /** Name asked for in the handshake and expected in the certificate, instead of the host of the URL. */
  readonly serverName?: string;
  /** Accepts any certificate. Default false. */
  readonly insecureSkipVerify?: boolean;
}

/** PEM text, or the path of a file with it. */
export type PemSource = { readonly file: string } | { readonly pem: string };

/** Who the client says it is. A token from a file is read again when the file changes and after an answer of 401 or 403. */
export type HttpAuth =
  | { readonly type: "basic"; readonly username: string; readonly password: SecretSource }
  | { readonly type: "bearer"; readonly token: SecretSource }
  /** For example `X-Consul-Token`. */
  | { readonly type: "header"; readonly name: string; readonly value: SecretSource };

/**
 * A secret: from a file (white space around it is not part of it), as it is, or from a function. The function is asked
 * before every request and should remember its answer; `refused` is true when the last one met a 401 or 403.
 */
export type SecretSource =
  { readonly file: string } | { readonly value: string } | { get(refused: boolean): Promise<string> };

/** One request. */
export interface HttpRequest {
  /** Default GET. */
  readonly method?: "GET" | "POST" | "PUT" | "DELETE" | "PATCH";
  /** Path and query, joined to the base path of the client's URL. Begins with a slash. */
  readonly path: string;
  /** Stronger than those of the client. An `accept-encoding` of your own replaces `gzip`. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Ends the request, also while the body arrives. */
  readonly signal: AbortSignal;
  /** Time until the head of the answer is there, in milliseconds: waiting for a connection included. */
  readonly headMs: number;
  /** Longest silence while the body arrives, in milliseconds; for watches, the watchdog. A slow reader is no silence. */
  readonly idleMs: number;
  /** Bytes of the body after decompression; past it the request fails. Counts the whole body, or for `lines` one line. */
  readonly maxBytes: number;
}

/** An answer whose head is there. Its body must be read or dropped, once. */
export interface HttpAnswer {
  readonly status: number;
  /** Lower-case names; values joined by a comma and a space. */
  readonly headers: ReadonlyMap<string, string>;
  /** The whole body, read as UTF-8. Rejects with an HttpError when it is cut, too large or too slow. */
  text(): Promise<string>;
  /**
   * The body line by line, as it arrives, without the line ends; a cut last line is an error. Leaving the loop early
   * closes the connection.
   */
  lines(): AsyncIterable<string>;
  /** Lets the connection go. */
  drop(): void;
}

/** HTTP to one upstream. Redirects are answers, not followed. */
export interface HttpClient {
  /** Resolves when the head of the answer is there, whatever its status. Rejects with an HttpError. */
  request(request: HttpRequest): Promise<HttpAnswer>;
  /** Ends all requests and closes every connection. */
  close(): Promise<void>;
}
