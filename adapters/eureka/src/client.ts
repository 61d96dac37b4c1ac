import {
  createHttpClient,
  HttpError,
  sourceIn,
  tlsIn,
  type HttpAnswer,
  type HttpClient,
  type HttpClientOptions,
  type HttpRequest,
} from "@signalbox/http-client";
import { SourceError, type Problem } from "@signalbox/registry";
import { parseAnswer, parseInstance, type EurekaAnswer, type EurekaInstance } from "./client/answer.ts";
import type { EurekaConfig } from "./config.ts";

/** Which list is asked for. */
export type AnswerKind = "full" | "delta";

/** What a server says of one instance. */
export interface KnownInstance {
  readonly instance: EurekaInstance;
  /** When its lease runs out if nobody renews it, in epoch milliseconds of the server's clock; absent where the server does not say. */
  readonly leaseUntil?: number;
  /** When it said so, by the same clock, to the second; absent where it does not tell the time. */
  readonly toldAt?: number;
}

/** Thrown when a server answered, but not with what was asked for. */
export class UnusableAnswerError extends SourceError {
  /** Of the answer. */
  readonly status: number;

  constructor(problem: Problem, status: number, message: string, options?: ErrorOptions) {
    super(problem, message, options);
    this.name = "UnusableAnswerError";
    this.status = status;
  }
}

/** Thrown when a server offers no delta: nothing is wrong with it, full answers must do. */
export class NoDeltaError extends UnusableAnswerError {
  constructor(where: string, status: number) {
    super("PROTOCOL_ERROR", status, `${where} offers no delta (status ${status})`);
    this.name = "NoDeltaError";
  }
}

/** Options of the connection to one server. Relative files start from `baseDir`. */
export function httpOptions(
  config: Pick<EurekaConfig, "auth" | "tls" | "timeoutSeconds">,
  url: string,
  baseDir: string,
): HttpClientOptions {
  const { auth, tls, timeoutSeconds } = config;
  return {
    url,
    connections: 2,
    connectMs: timeoutSeconds * 1000,
    // Without it the answer is XML.
    headers: { accept: "application/json" },
    ...(auth && { auth: { type: "basic", username: auth.username, password: sourceIn(auth.password, baseDir) } }),
    ...(tls && { tls: tlsIn(tls, baseDir) }),
  };
}

/** One Eureka server. It is read, and written to only to cancel a registration. `close()` must be called. */
export class EurekaClient {
  /** The service URL, up to and including `/eureka`. */
  readonly url: string;
  readonly #http: HttpClient;
  readonly #limits: { readonly headMs: number; readonly idleMs: number; readonly maxBytes: number };

  constructor(config: EurekaConfig, url: string, baseDir: string, onRejected: (reason: string) => void) {
    this.url = url;
    this.#http = createHttpClient({ ...httpOptions(config, url, baseDir), onRejected });
    const ms = config.timeoutSeconds * 1000;
    this.#limits = { headMs: ms, idleMs: ms, maxBytes: config.maxAnswerBytes };
  }

  /**
   * One whole answer. Rejects with a SourceError for everything else: no connection, no answer in time, any status but
   * 200, another content type than JSON, a body that is cut, too large, or has no `applications`. A delta that the
   * server does not offer is a NoDeltaError.
   */
  async get(kind: AnswerKind, signal: AbortSignal): Promise<EurekaAnswer> {
    return this.#ask({ path: kind === "full" ? "/apps" : "/apps/delta", signal }, async (answer, where) => {
      const { status } = answer;
      if (kind === "delta" && noDelta.has(status)) {
        answer.drop();
        throw new NoDeltaError(where, status);
      }
      return parsed(where, parseAnswer, await jsonOf(answer, where), kind);
    });
  }

  /** What the server knows of one instance now, past all its caches; undefined where it does not have it. Rejects with a SourceError. */
  async instance(app: string, id: string, signal: AbortSignal): Promise<KnownInstance | undefined> {
    return this.#ask({ path: pathOf(app, id), signal }, async (answer, where) => {
      const { headers, status } = answer;
      if (status === 404) {
        answer.drop();
        return undefined;
      }
      const { instance, leaseUntil } = parsed(where, parseInstance, await jsonOf(answer, where));
      if (instance.id !== id) throw new UnusableAnswerError("PROTOCOL_ERROR", status, `${where} is ${instance.id}`);
      const toldAt = Date.parse(headers.get("date") ?? "");
      return {
        instance,
        ...(leaseUntil !== undefined && { leaseUntil }),
        ...(Number.isFinite(toldAt) && { toldAt }),
      };
    });
  }

  /** Cancels the registration of an instance. False where the server does not have it. Rejects with a SourceError. */
  async cancel(app: string, id: string, signal: AbortSignal): Promise<boolean> {
    return this.#ask({ method: "DELETE", path: pathOf(app, id), signal }, (answer, where) => {
      const { status } = answer;
      answer.drop();
      if (status === 404) return false;
      if (status >= 200 && status < 300) return true;
      throw new UnusableAnswerError(problemOf(status), status, `${where} answered with status ${status}`);
    });
  }

  /** Ends all requests and closes every connection. */
  async close(): Promise<void> {
    await this.#http.close();
  }

  /** Sends a request, and hands on its answer with the place that errors name. */
  async #ask<T>(
    request: Pick<HttpRequest, "method" | "path" | "signal">,
    take: (answer: HttpAnswer, where: string) => T | Promise<T>,
  ): Promise<T> {
    const where = `${this.url}${request.path}`;
    try {
      return await take(await this.#http.request({ ...request, ...this.#limits }), where);
    } catch (error) {
      throw sourceErrorOf(error, where);
    }
  }
}

/** The body of an answer that must be JSON. */
async function jsonOf(answer: HttpAnswer, where: string): Promise<string> {
  const { headers, status } = answer;
  const type = headers.get("content-type") ?? "";
  if (status === 200 && isJson(type)) return answer.text();
  answer.drop();
  const what = status === 200 ? `content type ${JSON.stringify(type)}` : `status ${status}`;
  throw new UnusableAnswerError(problemOf(status), status, `${where} answered with ${what}`);
}

/** `eureka.server.disable-delta` answers 403; servers that only resemble Eureka know no such path or method. */
const noDelta: ReadonlySet<number> = new Set([403, 404, 405, 501]);

function pathOf(app: string, id: string): string {
  return `/apps/${encodeURIComponent(app)}/${encodeURIComponent(id)}`;
}

function parsed<Rest extends readonly unknown[], T>(
  where: string,
  parse: (body: string, ...rest: Rest) => T,
  body: string,
  ...rest: Rest
): T {
  try {
    return parse(body, ...rest);
  } catch (error) {
    const reason = error instanceof Error ? error.message : "unknown";
    throw new UnusableAnswerError("PROTOCOL_ERROR", 200, `${where}: ${reason}`, { cause: error });
  }
}

function isJson(contentType: string): boolean {
  return /^application\/(?:[\w.+-]+\+)?json\s*(?:;|$)/i.test(contentType.trim());
}

function problemOf(status: number): Problem {
  if (status === 401 || status === 403) return "AUTH_FAILED";
  return status >= 500 || status === 429 || status === 408 ? "UNREACHABLE" : "PROTOCOL_ERROR";
}

function sourceErrorOf(error: unknown, where: string): SourceError {
  if (error instanceof SourceError) return error;
  const reason = error instanceof Error ? error.message : "unknown";
  const problem = error instanceof HttpError ? error.problem : "PROTOCOL_ERROR";
  return new SourceError(problem, `${where}: ${reason}`, { cause: error });
}
