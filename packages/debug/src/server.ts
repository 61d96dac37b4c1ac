import { Readable } from "node:stream";
import { setImmediate } from "node:timers/promises";
import fastify from "fastify";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { createAccess } from "./access.ts";
import type { AccessRule } from "./access.ts";
import { failure, jsonPieces, textPieces } from "./answer.ts";
import type { Answer, Page } from "./answer.ts";
import type { DebugServerOptions } from "./options.ts";
import { debugPages } from "./pages.ts";
import { isOn } from "./service-pages.ts";
import type { DebugSources } from "./sources.ts";

/** Where a server listens. */
export interface DebugAddress {
  readonly host: string;
  readonly port: number;
  /** `http://host:port`, with brackets around IPv6. */
  readonly url: string;
}

/** A request without a socket, for tests. */
export interface InjectRequest {
  readonly method?: "GET" | "HEAD" | "POST" | "PUT" | "DELETE" | "OPTIONS";
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly payload?: string | Buffer;
}

/** The debug server. */
export interface DebugServer {
  /** Starts to listen. Rejects with Node's error (`EADDRINUSE`, …). */
  listen(): Promise<DebugAddress>;
  /** Stops listening and waits up to one second for running requests, then cuts them. May be called again. */
  close(): Promise<void>;
  /** Answers a request that did not come over a socket. */
  inject(
    request: InjectRequest,
  ): Promise<{ readonly status: number; readonly headers: Readonly<Record<string, unknown>>; readonly body: string }>;
}

const securityHeaders = {
  "cache-control": "no-store",
  "content-security-policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
} as const;

/**
 * Makes the HTTP server of health, readiness, metrics and debug pages, in istiod's JSON shapes where istiod has them. Its pages
 * only read: they answer GET and HEAD; `?pretty` indents JSON. What `rest` and `api` do is theirs.
 */
export function createDebugServer(options: DebugServerOptions): DebugServer {
  const { host = "127.0.0.1", port, maxConnections = 512 } = options;
  const app = createApp(options);
  app.server.maxConnections = maxConnections;
  const close = async (): Promise<void> => {
    const cut = setTimeout(() => app.server.closeAllConnections(), 1000);
    await app.close();
    clearTimeout(cut);
  };
  return {
    listen: async () => {
      // Each in a turn of the event loop of its own: its plugins are a hundred small things.
      await app.ready();
      await setImmediate();
      await app.listen({ host, port });
      const bound = app.server.address();
      if (typeof bound !== "object" || bound === null) throw new Error("the server has no address");
      const authority = bound.address.includes(":") ? `[${bound.address}]` : bound.address;
      return { host: bound.address, port: bound.port, url: `http://${authority}:${bound.port}` };
    },
    close,
    inject: async ({ method = "GET", url, headers = {}, payload }) => {
      const response = await app.inject({ method, url, headers: { ...headers }, ...(payload && { payload }) });
      return { status: response.statusCode, headers: response.headers, body: response.body };
    },
  };
}

function createApp(options: DebugServerOptions): FastifyInstance {
  const app = fastify({
    forceCloseConnections: "idle",
    bodyLimit: 1024,
    // To receive a request; an answer may take longer.
    requestTimeout: 30_000,
    // A socket that neither sends nor reads. Longer than the longest profile.
    connectionTimeout: 90_000,
    keepAliveTimeout: 5_000,
    http: { maxHeaderSize: 16 * 1024, headersTimeout: 10_000 },
    routerOptions: { maxParamLength: 100 },
  });
  // No page reads a body; REST takes it as it is.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("*", { parseAs: "buffer" }, (_request, body, done) => done(null, body));
  const report = (error: Error, request: FastifyRequest): void => options.onError?.(error, pathOf(request));
  app.setErrorHandler(async (error, request, reply) => {
    const status = statusOf(error);
    if (status < 500) return send(request, reply, failure(status, "SBX_BAD_REQUEST", messageOf(error)));
    // A client that went away while its page was made is not a failure.
    if (!reply.raw.destroyed) report(error instanceof Error ? error : new Error(messageOf(error)), request);
    return send(request, reply, failure(500, "SBX_INTERNAL", "The page failed; the log says why."));
  });
  const pages = debugPages(options);
  const paths = new Set(pages.map(({ path }) => path));
  app.setNotFoundHandler(async (request, reply) => {
    if (!paths.has(pathOf(request)))
      return send(request, reply, failure(404, "SBX_NO_PAGE", "There is no such page; /debug lists all."));
    reply.header("allow", "GET, HEAD");
    return send(request, reply, failure(405, "SBX_METHOD", "This page only answers GET and HEAD."));
  });
  guard(app, options.allowedHosts ?? []);
  for (const page of pages) addPage(app, page, options.sources);
  if (options.rest !== undefined) addRest(app, options.rest, options.restBodyLimit ?? 4 * 2 ** 20);
  if (options.api !== undefined) addApi(app, options.api);
  return app;
}

const restPrefix = "/v3/discovery:";
const apiPrefix = "/v1/";
const apiBodyLimit = 16 * 1024;

function guard(app: FastifyInstance, allowedHosts: readonly string[]): void {
  const check = createAccess(allowedHosts);
  app.addHook("onRequest", async (request, reply) => {
    reply.headers(securityHeaders);
    const path = pathOf(request);
    const rule: AccessRule = {
      anyHost: path.startsWith(restPrefix),
      noLinks: path.startsWith("/debug/pprof/"),
      write: path.startsWith(apiPrefix) && request.method !== "GET" && request.method !== "HEAD",
    };
    const { headers } = request;
    const refusal = check(
      {
        host: headers.host,
        origin: headers.origin,
        fetchSite: single(headers["sec-fetch-site"]),
        fetchMode: single(headers["sec-fetch-mode"]),
      },
      rule,
    );
    if (refusal !== undefined) await send(request, reply, failure(refusal.status, refusal.code, refusal.error));
  });
}

function addPage(app: FastifyInstance, page: Page, sources: DebugSources): void {
  app.get(page.path, async (request, reply) => {
    const gone = new AbortController();
    reply.raw.once("close", () => gone.abort());
    await sources.refresh?.(page.path);
    return send(request, reply, await page.answer(queryOf(request), gone.signal));
  });
}

function addRest(app: FastifyInstance, rest: NonNullable<DebugServerOptions["rest"]>, bodyLimit: number): void {
  // "::" is the router's way to write one colon.
  app.post("/v3/discovery:::type", { bodyLimit }, async (request, reply) => {
    const body = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
    const answer = await rest(pathOf(request), body);
    if (answer === undefined)
      return send(request, reply, failure(404, "SBX_NO_PAGE", "There is no such resource type."));
    // As bytes, so that the headers stay as they are.
    return reply.code(answer.status).headers(answer.headers).send(Buffer.from(answer.body));
  });
}

function addApi(app: FastifyInstance, api: NonNullable<DebugServerOptions["api"]>): void {
  app.all(`${apiPrefix}*`, { bodyLimit: apiBodyLimit }, async (request, reply) => {
    const answer = await api({
      method: request.method,
      path: pathOf(request),
      query: queryOf(request),
      headers: request.headers,
      body: Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0),
      ...(request.socket.remoteAddress !== undefined && { remote: request.socket.remoteAddress }),
    });
    if (answer === undefined)
      return send(request, reply, failure(404, "SBX_NO_PAGE", "There is no such page; /debug lists all."));
    return reply.code(answer.status).headers(answer.headers).send(Buffer.from(answer.body));
  });
}

function send(request: FastifyRequest, reply: FastifyReply, answer: Answer): FastifyReply {
  const indent = isOn(queryOf(request), "pretty") ? 2 : 0;
  const json = "application/json; charset=utf-8";
  switch (answer.type) {
    case "json":
      return reply
        .code(answer.status ?? 200)
        .type(json)
        .send(`${JSON.stringify(answer.value, null, indent)}\n`);
    case "text":
      return reply
        .code(answer.status ?? 200)
        .type(answer.contentType ?? "text/plain; charset=utf-8")
        .send(answer.body);
    case "lines":
      return reply.type("text/plain; charset=utf-8").send(streamed(textPieces(answer.lines)));
    case "array":
    case "object":
      return reply.type(json).send(streamed(jsonPieces(answer, indent)));
    case "download":
      return reply
        .header("content-disposition", `attachment; filename="${answer.fileName}"`)
        .type(answer.contentType)
        .send(answer.body);
  }
}

function streamed(pieces: Iterable<string>): Readable {
  return Readable.from(paced(pieces), { objectMode: false });
}

/** A client that reads fast would otherwise keep the loop to itself until the last piece. */
async function* paced(pieces: Iterable<string>): AsyncGenerator<string> {
  for (const piece of pieces) {
    yield piece;
    await setImmediate();
  }
}

function pathOf(request: FastifyRequest): string {
  const end = request.url.indexOf("?");
  return end < 0 ? request.url : request.url.slice(0, end);
}

function queryOf(request: FastifyRequest): URLSearchParams {
  const start = request.url.indexOf("?");
  return new URLSearchParams(start < 0 ? "" : request.url.slice(start + 1));
}

function single(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value;
}

function statusOf(error: unknown): number {
  const status = typeof error === "object" && error !== null && "statusCode" in error ? error.statusCode : undefined;
  return typeof status === "number" && status >= 400 && status < 500 ? status : 500;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
