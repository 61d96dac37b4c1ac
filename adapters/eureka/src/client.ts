import {
  createHttpClient,
  HttpError,
  sourceIn,
  tlsIn,
  type HttpClient,
  type HttpClientOptions,
} from "@signalbox/http-client";
import { SourceError, type Problem } from "@signalbox/registry";
import { parseAnswer, type EurekaAnswer } from "./client/answer.ts";
import type { EurekaConfig } from "./config.ts";

/** Which list is asked for. */
export type AnswerKind = "full" | "delta";

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
    const path = kind === "full" ? "/apps" : "/apps/delta";
    const where = `${this.url}${path}`;
    try {
      const answer = await this.#http.request({ path, signal, ...this.#limits });
      const { status, headers } = answer;
      const type = headers.get("content-type") ?? "";
      if (status !== 200 || !isJson(type)) {
        answer.drop();
        if (kind === "delta" && noDelta.has(status)) throw new NoDeltaError(where, status);
        const what = status === 200 ? `content type ${JSON.stringify(type)}` : `status ${status}`;
        throw new UnusableAnswerError(problemOf(status), status, `${where} answered with ${what}`);
      }
      return parsed(await answer.text(), kind, where);
    } catch (error) {
      throw sourceErrorOf(error, where);
    }
  }

  /** Cancels the registration of an instance. One that the server does not have is no error. Rejects with a SourceError. */
  async cancel(app: string, id: string, signal: AbortSignal): Promise<void> {
    const path = `/apps/${encodeURIComponent(app)}/${encodeURIComponent(id)}`;
    const where = `${this.url}${path}`;
    try {
      const answer = await this.#http.request({ method: "DELETE", path, signal, ...this.#limits });
      const { status } = answer;
      answer.drop();
      if ((status >= 200 && status < 300) || status === 404) return;
      throw new UnusableAnswerError(problemOf(status), status, `${where} answered with status ${status}`);
    } catch (error) {
      throw sourceErrorOf(error, where);
    }
  }

  /** Ends all requests and closes every connection. */
  async close(): Promise<void> {
    await this.#http.close();
  }
}

/** `eureka.server.disable-delta` answers 403; servers that only resemble Eureka know no such path or method. */
const noDelta: ReadonlySet<number> = new Set([403, 404, 405, 501]);

function parsed(body: string, kind: AnswerKind, where: string): EurekaAnswer {
  try {
    return parseAnswer(body, kind);
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
