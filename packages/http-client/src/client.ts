import type { Dispatcher } from "undici";
import { AbortTies } from "./abort-ties.ts";
import { Body } from "./body.ts";
import { Call } from "./call.ts";
import { Connections } from "./connections.ts";
import { Credentials, isHeaderValue } from "./credentials.ts";
import { after } from "./deadline.ts";
import { httpErrorOf } from "./failure.ts";
import type { HttpAnswer, HttpClient, HttpClientOptions, HttpRequest } from "./http-client.ts";
import { HttpError, HttpOptionsError } from "./http-error.ts";

/** Makes a client of one upstream. Nothing is read or connected before the first request. Throws an HttpOptionsError. */
export function createHttpClient(options: HttpClientOptions): HttpClient {
  return new UndiciClient(options);
}

class UndiciClient implements HttpClient {
  readonly #origin: string;
  readonly #basePath: string;
  readonly #headers: ReadonlyMap<string, string>;
  readonly #connections: Connections;
  readonly #credentials: Credentials | undefined;
  readonly #onRejected: (reason: string) => void;
  readonly #reported = new Map<string, string>();
  readonly #calls = new Set<Call>();
  readonly #ties = new AbortTies();
  #closed = false;

  constructor(options: HttpClientOptions) {
    const url = checkedUrl(options);
    this.#origin = url.origin;
    this.#basePath = url.pathname.replace(/\/+$/, "");
    this.#headers = lowerCase(options.headers ?? {});
    this.#connections = new Connections(options);
    this.#credentials = options.auth && new Credentials(options.auth);
    this.#onRejected = (reason) => options.onRejected?.(reason);
  }

  async request(request: HttpRequest): Promise<HttpAnswer> {
    if (!request.path.startsWith("/")) throw new TypeError(`the path ${request.path} does not begin with a slash`);
    const url = `${this.#origin}${this.#basePath}${request.path.replace(/[?#].*$/s, "")}`;
    const call = new Call();
    const aborted = new Promise<never>((_resolve, reject) => {
      call.once("abort", () => reject(call.reason as HttpError));
    });
    const end = (failure: "ABORTED" | "TIMEOUT", message: string, cause?: unknown) => () =>
      call.abort(new HttpError(failure, url, message, { cause }));
    this.#calls.add(call);
    const untie = this.#ties.tie(request.signal, () =>
      end("ABORTED", "the request was ended", request.signal.reason)(),
    );
    const release = (): void => {
      untie();
      this.#calls.delete(call);
    };
    const inTime = after(request.headMs, end("TIMEOUT", `no answer within ${request.headMs} ms`));
    if (this.#closed) end("ABORTED", "the client is closed")();
    try {
      // undici notices an abort only once a connection is there, so it is not waited for.
      return await Promise.race([aborted, this.#send(request, url, call, release)]);
    } catch (error) {
      release();
      throw error;
    } finally {
      inTime();
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const call of this.#calls) call.abort(new HttpError("ABORTED", this.#origin, "the client was closed"));
    await this.#connections.close();
  }

  async #send(request: HttpRequest, url: string, call: Call, release: () => void): Promise<HttpAnswer> {
    const { agent, withCertificate } = await this.#look("tls", url, () => this.#connections.look());
    const authorization = await this.#look("auth", url, async () => this.#credentials?.look());
    call.throwIfAborted();
    const failed = (thrown: unknown): HttpError => httpErrorOf(thrown, { url, withCertificate });
    const data = await this.#dispatch(agent, request, authorization?.header, call).catch((thrown: unknown) => {
      throw isMistake(thrown) ? thrown : failed(thrown);
    });
    const { body, statusCode: status } = data;
    // Without a listener, a connection that breaks before the body is read would end the process.
    body.on("error", () => {});
    body.once("close", release);
    if (status === 401 || status === 403) this.#credentials?.refused();
    const headers = answerHeaders(data.headers);
    const empty = status === 204 || status === 304 || headers.get("content-length") === "0";
    const coding = empty ? "" : (headers.get("content-encoding") ?? "").trim().toLowerCase();
    const { idleMs, maxBytes } = request;
    const read = new Body(body, { url, coding, idleMs, maxBytes, failed });
    return { status, headers, text: () => read.text(), lines: () => read.lines(), drop: () => read.drop() };
  }

  async #dispatch(
    agent: Dispatcher,
    request: HttpRequest,
    authorization: readonly [string, string] | undefined,
    signal: Call,
  ): Promise<Dispatcher.ResponseData> {
    const headers = new Map([["accept-encoding", "gzip"], ...this.#headers, ...lowerCase(request.headers ?? {})]);
    if (authorization !== undefined) headers.set(authorization[0].toLowerCase(), authorization[1]);
    return agent.request({
      origin: this.#origin,
      path: `${this.#basePath}${request.path}`,
      method: request.method ?? "GET",
      headers: [...headers].flat(),
      body: request.body ?? null,
      signal,
    });
  }

  /** Looks at files that may have changed, and reports what cannot be used, once. */
  async #look<T extends { readonly rejected?: string } | undefined>(
    what: string,
    url: string,
    look: () => Promise<T>,
  ): Promise<T> {
    let looked: T;
    try {
      looked = await look();
    } catch (error) {
      const reason = error instanceof Error ? error.message : "unknown";
      throw new HttpError("CREDENTIALS", url, `no usable ${what}: ${reason}`, { cause: error });
    }
    const rejected = looked?.rejected;
    if (rejected === undefined) {
      this.#reported.delete(what);
    } else if (this.#reported.get(what) !== rejected) {
      this.#reported.set(what, rejected);
      this.#onRejected(rejected);
    }
    return looked;
  }
}

function checkedUrl(options: HttpClientOptions): URL {
  const { tls, auth, connections } = options;
  if (!URL.canParse(options.url)) throw new HttpOptionsError("url", "is not a URL");
  const url = new URL(options.url);
  if (url.protocol !== "http:" && url.protocol !== "https:") throw new HttpOptionsError("url", "is not http or https");
  if (url.username !== "" || url.password !== "") throw new HttpOptionsError("url", "holds credentials");
  if (url.search !== "" || url.hash !== "") throw new HttpOptionsError("url", "has a query or a fragment");
  const secured = Object.values(tls ?? {}).some((member) => member !== undefined && member !== false);
  if (secured && url.protocol === "http:") throw new HttpOptionsError("tls", "is given, but the URL is http");
  if ((tls?.cert === undefined) !== (tls?.key === undefined))
    throw new HttpOptionsError("tls.key", "goes with tls.cert");
  if (auth?.type === "basic" && auth.username.includes(":")) throw new HttpOptionsError("auth.username", "has a colon");
  if (auth?.type === "header" && !/^[\w!#$%&'*+.^`|~-]+$/.test(auth.name)) {
    throw new HttpOptionsError("auth.name", "is no name of a header");
  }
  const literal = auth?.type === "bearer" ? auth.token : auth?.type === "header" ? auth.value : undefined;
  if (literal !== undefined && "value" in literal && !isHeaderValue(literal.value)) {
    throw new HttpOptionsError(
      auth?.type === "bearer" ? "auth.token" : "auth.value",
      "has characters that no header may hold",
    );
  }
  if (connections !== undefined && !(Number.isInteger(connections) && connections > 0)) {
    throw new HttpOptionsError("connections", "is not a number above 0");
  }
  return url;
}

/** Whether the request could never be sent as the caller gave it. */
function isMistake(thrown: unknown): boolean {
  return thrown instanceof Error && (thrown as NodeJS.ErrnoException).code === "UND_ERR_INVALID_ARG";
}

function lowerCase(headers: Readonly<Record<string, string>>): ReadonlyMap<string, string> {
  return new Map(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
}

function answerHeaders(headers: Readonly<Record<string, string | string[] | undefined>>): ReadonlyMap<string, string> {
  const map = new Map<string, string>();
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined) map.set(name.toLowerCase(), Array.isArray(value) ? value.join(", ") : value);
  }
  return map;
}
