import { createHttpClient, HttpError } from "@signalbox/http-client";
import type { HttpAnswer, HttpClient, HttpClientOptions } from "@signalbox/http-client";
import { SourceError, type Logger, type Problem } from "@signalbox/registry";
import type { Connection } from "./client/connect.ts";

/** The resource version is too old, too new or otherwise not to be continued from: list anew. */
export class ExpiredError extends Error {
  readonly code = "SBX_KUBERNETES_EXPIRED";

  constructor(message: string) {
    super(message);
    this.name = "ExpiredError";
  }
}

/** How requests are sent. */
export interface ApiClientOptions {
  /** Finds out how to reach the API server; asked at the start, and again when credentials are refused or nothing answers. */
  readonly connect: () => Promise<Connection>;
  /** Connections that may be open at once: one for each watch, and some for lists. */
  readonly connections: number;
  /** Time until an answer begins, in milliseconds. */
  readonly requestMs: number;
  readonly logger: Logger;
}

/** One GET. */
export interface ApiGet {
  /** Path and query. */
  readonly path: string;
  readonly signal: AbortSignal;
  /** Longest silence while the body arrives, in milliseconds. */
  readonly idleMs: number;
  /** Bytes of the body, or of one line of a watch. */
  readonly maxBytes: number;
}

/**
 * Reads from one API server over kept connections. A refusal (401) makes it look for new credentials and ask once more before
 * it is an error. Made for one run; `close` ends everything.
 */
export class ApiClient {
  readonly #options: ApiClientOptions;
  #http: HttpClient | undefined;
  #fingerprint = "";
  #renewal: Promise<HttpClient> | undefined;
  #stale = false;
  #closed = false;
  readonly #old: Promise<void>[] = [];

  constructor(options: ApiClientOptions) {
    this.#options = options;
  }

  /** Resolves with an answer of status 200 and JSON. Throws a SourceError, an ExpiredError or an HttpError. */
  async get(request: ApiGet): Promise<HttpAnswer> {
    const first = await this.#send(request);
    const answer = first.status === 401 ? await this.#again(first, request) : first;
    if (answer.status !== 200) throw await refusal(answer, request.path);
    const type = answer.headers.get("content-type") ?? "";
    if (/^application\/json\b/i.test(type)) return answer;
    answer.drop();
    throw new SourceError(
      "PROTOCOL_ERROR",
      `${plain(request.path)}: the answer is ${type === "" ? "untyped" : type} and not JSON`,
    );
  }

  /** Ends all requests and closes every connection. */
  async close(): Promise<void> {
    this.#closed = true;
    // A look for credentials that goes on meanwhile opens nothing any more.
    await Promise.all([this.#http?.close(), ...this.#old]);
  }

  async #again(refused: HttpAnswer, request: ApiGet): Promise<HttpAnswer> {
    refused.drop();
    this.#stale = true;
    return this.#send(request);
  }

  async #send({ path, signal, idleMs, maxBytes }: ApiGet): Promise<HttpAnswer> {
    const http = await unlessAborted(this.#current(), signal);
    // As the controllers of Kubernetes do: packing a large list takes both sides longer than sending it.
    const headers = { accept: "application/json", "accept-encoding": "identity" };
    try {
      return await http.request({ path, headers, signal, headMs: this.#options.requestMs, idleMs, maxBytes });
    } catch (error) {
      // The server may have moved, and the kubeconfig with it.
      if (error instanceof HttpError && /^(CONNECT|TLS|CREDENTIALS)$/.test(error.failure)) this.#stale = true;
      throw error;
    }
  }

  /** The client in use; a new one where the way to the server changed. Requests that come together share the look. */
  #current(): Promise<HttpClient> {
    if (this.#http !== undefined && !this.#stale) return Promise.resolve(this.#http);
    this.#renewal ??= this.#renew().finally(() => {
      this.#renewal = undefined;
    });
    return this.#renewal;
  }

  async #renew(): Promise<HttpClient> {
    const { connect, connections, logger } = this.#options;
    const connection = await connect();
    this.#stale = false;
    if (this.#closed) throw new HttpError("ABORTED", connection.url, "the client was closed");
    const { url, tls, headers, auth } = connection;
    // Functions are left out: a login flow renews itself.
    const fingerprint = JSON.stringify([url, tls, headers, auth]);
    if (this.#http !== undefined && fingerprint === this.#fingerprint) return this.#http;
    const onRejected = (reason: string) => logger.warn("kubernetes-credentials-rejected", { reason });
    const options: HttpClientOptions = { ...connection, connections, onRejected };
    const http = createHttpClient(options);
    if (this.#http !== undefined) this.#old.push(this.#http.close());
    this.#http = http;
    this.#fingerprint = fingerprint;
    return http;
  }
}

/** What to call a failure of a request, a list or a watch. */
export function problemOf(error: unknown): Problem {
  if (error instanceof SourceError) return error.problem;
  if (error instanceof HttpError) return error.problem;
  return error instanceof SyntaxError ? "PROTOCOL_ERROR" : "UNREACHABLE";
}

/** The promise's outcome, or the signal's reason as soon as it aborts: a program for credentials may never end. */
async function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  let abort = (): void => {};
  const aborted = new Promise<never>((_, reject) => {
    abort = () => reject(signal.reason as Error);
  });
  signal.addEventListener("abort", abort, { once: true });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener("abort", abort);
    promise.catch(() => {});
  }
}

/** The error for an answer that is not 200. */
async function refusal(answer: HttpAnswer, path: string): Promise<Error> {
  const { status } = answer;
  return statusError(status, `${plain(path)}: ${status}${await reasonOf(answer)}`);
}

/** The error for a status, whether it came by HTTP or inside a watch. */
export function statusError(status: number, message: string): Error {
  if (status === 410 || /too large resource version/i.test(message)) return new ExpiredError(message);
  if (status === 401 || status === 403) return new SourceError("AUTH_FAILED", message);
  if (status === 408 || status === 429 || status >= 500) return new SourceError("UNREACHABLE", message);
  return new SourceError("PROTOCOL_ERROR", message);
}

/** What a Status object says; nothing for anything else, such as the page of a proxy. */
async function reasonOf(answer: HttpAnswer): Promise<string> {
  try {
    const body: unknown = JSON.parse(await answer.text());
    const message = typeof body === "object" && body !== null && "message" in body ? body.message : undefined;
    return typeof message === "string" ? ` ${message.slice(0, 500)}` : "";
  } catch {
    return "";
  }
}

/** The path without its query, which would fill the logs. */
function plain(path: string): string {
  return path.split("?", 1)[0] ?? path;
}
