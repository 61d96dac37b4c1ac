import {
  HttpError,
  sourceIn,
  tlsIn,
  type HttpAnswer,
  type HttpClient,
  type HttpClientOptions,
} from "@signalbox/http-client";
import { SourceError, type Problem } from "@signalbox/registry";
import type { ConsulConfig } from "./config.ts";

/** The part of a Consul installation that one query sees. Absent members mean the agent's own. */
export interface ConsulScope {
  readonly datacenter?: string | undefined;
  readonly namespace?: string | undefined;
  readonly partition?: string | undefined;
}

/** How one read is made. */
export interface ReadOptions {
  readonly signal: AbortSignal;
  /** Waits for something newer than this `X-Consul-Index`. Absent: answers at once. */
  readonly index?: string | undefined;
  /** How long the server may wait, in milliseconds. Only with `index`. */
  readonly waitMs?: number | undefined;
}

/** A whole answer. */
export interface ConsulAnswer<T> {
  readonly value: T;
  /** `X-Consul-Index`, a decimal number beyond 2^53 too; never "0". */
  readonly index: string;
  /**
   * Whether access control left something out. `undefined` where the answer cannot say: the streaming backend never does, nor
   * does Consul tell an anonymous reader.
   */
  readonly filtered: boolean | undefined;
  /** How far the server that answered was behind its leader. `undefined` where only the leader may answer, or nobody says. */
  readonly behindMs?: number;
}

/** What is kept for the agent beside the watches of services: lists and checks. */
const spareConnections = 4;

/** The services of an answer of `/v1/catalog/services`: names and the union of their tags. */
export type ServiceList = ReadonlyMap<string, readonly string[]>;

/** The options of the connection to the agent. Relative files start from `baseDir`. */
export function httpOptions(config: ConsulConfig, baseDir: string, scopes: number): HttpClientOptions {
  const { url, token, tls, concurrency } = config;
  return {
    url,
    connections: concurrency + scopes + spareConnections,
    ...(token && { auth: { type: "header", name: "X-Consul-Token", value: sourceIn(token, baseDir) } }),
    ...(tls && { tls: tlsIn(tls, baseDir) }),
  };
}

/** The reads that discovery needs, each checked as a whole: it gives a complete answer or throws a SourceError. */
export class ConsulClient {
  readonly #config: ConsulConfig;
  readonly #http: HttpClient;

  constructor(config: ConsulConfig, http: HttpClient) {
    this.#config = config;
    this.#http = http;
  }

  /** All services of a scope that the token may see. `undefined`: the wait ended without news. */
  async services(scope: ConsulScope, options: ReadOptions): Promise<ConsulAnswer<ServiceList> | undefined> {
    const answer = await this.#read("/v1/catalog/services", scope, options);
    if (answer === undefined) return undefined;
    if (!isMap(answer.value)) throw protocolError("the list of services is no map");
    const services = new Map<string, readonly string[]>();
    for (const [name, tags] of Object.entries(answer.value)) {
      // Go writes an empty list as null in places.
      if (tags !== null && !isTexts(tags))
        throw protocolError(`the tags of ${JSON.stringify(name)} are no list of texts`);
      services.set(name, tags ?? []);
    }
    return { ...answer, value: services };
  }

  /**
   * All instances of a service with their checks, as Consul writes them; each is checked by the conversion. `undefined`: the
   * wait ended without news.
   */
  health(
    scope: ConsulScope,
    service: string,
    options: ReadOptions,
  ): Promise<ConsulAnswer<readonly unknown[]> | undefined> {
    return this.#read(`/v1/health/service/${encodeURIComponent(service)}`, scope, options).then((answer) => {
      if (answer === undefined) return undefined;
      if (!Array.isArray(answer.value)) throw protocolError(`the instances of ${JSON.stringify(service)} are no list`);
      return { ...answer, value: answer.value };
    });
  }

  /** The ids of the servers, which a cluster that lost its data does not keep. Empty where the token may not see them. */
  async serverIds(scope: ConsulScope, signal: AbortSignal): Promise<ReadonlySet<string>> {
    // Servers are in the default namespace and partition only.
    const answer = await this.health({ datacenter: scope.datacenter }, "consul", { signal });
    const ids = (answer?.value ?? []).flatMap((entry) => {
      const node = isMap(entry) ? entry["Node"] : undefined;
      const id = isMap(node) ? node["ID"] : undefined;
      return typeof id === "string" && id !== "" ? [id] : [];
    });
    return new Set(ids);
  }

  async #read(path: string, scope: ConsulScope, options: ReadOptions): Promise<ConsulAnswer<unknown> | undefined> {
    const { mode, maxStaleSeconds } = this.#config.consistency;
    const answer = await this.#get(path, scope, options, mode === "stale");
    const { headers } = answer;
    if (mode === "stale" && !isStreaming(headers)) {
      const lastContactMs = Number(headers.get("x-consul-lastcontact") ?? 0);
      if (knowsNoLeader(headers) || lastContactMs > maxStaleSeconds * 1000)
        return this.#checked(await this.#get(path, scope, { signal: options.signal }, false));
      return this.#checked(answer, lastContactMs);
    }
    return this.#checked(answer);
  }

  #checked({ headers, index, value }: RawAnswer, behindMs?: number): ConsulAnswer<unknown> | undefined {
    // The streaming backend says "false" always (hashicorp/consul#9776).
    if (!isStreaming(headers) && knowsNoLeader(headers))
      throw new SourceError("UNREACHABLE", "the agent knows no leader");
    if (value === undefined) return undefined;
    const filtered = headers.get("x-consul-results-filtered-by-acls") === "true";
    const tells = filtered || (!isStreaming(headers) && this.#config.token !== undefined);
    return { value, index, filtered: tells ? filtered : undefined, ...(behindMs !== undefined && { behindMs }) };
  }

  async #get(path: string, scope: ConsulScope, options: ReadOptions, stale: boolean): Promise<RawAnswer> {
    const { index, waitMs = 0, signal } = options;
    const timeoutMs = this.#config.timeoutSeconds * 1000;
    try {
      const answer = await this.#http.request({
        path: path + queryOf(scope, options, stale),
        // The agent is near by: packing and unpacking costs more than it saves.
        headers: { "accept-encoding": "identity" },
        signal,
        // The server adds up to a sixteenth to the wait.
        headMs: (index === undefined ? 0 : waitMs * 1.1) + timeoutMs,
        idleMs: timeoutMs,
        maxBytes: this.#config.maxAnswerBytes,
      });
      return await rawAnswer(answer, index);
    } catch (error) {
      if (!(error instanceof HttpError)) throw error;
      // The same for all requests: one dead agent is one reason.
      throw new SourceError(error.problem, `${this.#config.url}: ${error.message}`, { cause: error });
    }
  }
}

/** A whole answer; without a value where its index is the one that was asked with. */
interface RawAnswer {
  readonly headers: HttpAnswer["headers"];
  readonly index: string;
  readonly value?: unknown;
}

function queryOf({ datacenter, namespace, partition }: ConsulScope, options: ReadOptions, stale: boolean): string {
  const query = new URLSearchParams();
  if (datacenter !== undefined) query.set("dc", datacenter);
  if (namespace !== undefined) query.set("ns", namespace);
  if (partition !== undefined) query.set("partition", partition);
  if (stale) query.set("stale", "");
  if (options.index !== undefined) {
    query.set("index", options.index);
    query.set("wait", `${Math.max(1, Math.round(options.waitMs ?? 0))}ms`);
  }
  const text = query.toString();
  return text === "" ? "" : `?${text}`;
}

async function rawAnswer(answer: HttpAnswer, asked: string | undefined): Promise<RawAnswer> {
  const { status, headers } = answer;
  if (status !== 200) throw ofStatus(status, await wordsOf(answer));
  const type = headers.get("content-type") ?? "";
  const written = headers.get("x-consul-index") ?? "";
  const isJson = /^application\/json\b/i.test(type);
  if (!isJson || !/^[0-9]{1,20}$/.test(written)) {
    answer.drop();
    if (isJson) throw protocolError("the answer has no X-Consul-Index");
    throw protocolError(`the content type is ${JSON.stringify(type.slice(0, 80))}, not application/json`);
  }
  const text = await answer.text();
  // Index 0 would make the next query answer at once, again and again.
  const index = /^0+$/.test(written) ? "1" : written;
  if (index === asked) return { headers, index };
  try {
    return { headers, index, value: JSON.parse(text) as unknown };
  } catch (error) {
    throw protocolError("the body is no JSON", { cause: error });
  }
}

function isStreaming(headers: HttpAnswer["headers"]): boolean {
  return headers.get("x-consul-query-backend") === "streaming";
}

function knowsNoLeader(headers: HttpAnswer["headers"]): boolean {
  return headers.get("x-consul-knownleader") === "false";
}

/** The first words of an answer that is an error, for the message. */
async function wordsOf(answer: HttpAnswer): Promise<string> {
  try {
    return (await answer.text()).slice(0, 200).trim();
  } catch (error) {
    if (error instanceof HttpError && error.failure === "ABORTED") throw error;
    return "";
  }
}

function ofStatus(status: number, said: string): SourceError {
  if (status === 401 || status === 403) {
    // What the server says may quote the token.
    const unknown = /ACL not found/i.test(said) ? ": it does not know the token" : "";
    return new SourceError("AUTH_FAILED", `the agent refuses with status ${status}${unknown}`);
  }
  const problem: Problem = status >= 500 || status === 429 ? "UNREACHABLE" : "PROTOCOL_ERROR";
  return new SourceError(problem, `the agent answers with status ${status}${said === "" ? "" : `: ${said}`}`);
}

function protocolError(message: string, options?: ErrorOptions): SourceError {
  return new SourceError("PROTOCOL_ERROR", message, options);
}

function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === "string");
}
