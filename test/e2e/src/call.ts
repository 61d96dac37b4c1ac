import { Agent, request, type IncomingHttpHeaders } from "node:http";
import { request as requestByTls } from "node:https";
import type { ConnectionOptions } from "node:tls";
import type { Echo } from "./echo-backend.ts";

/** A request to a proxy on loopback. */
export interface Call {
  readonly port: number;
  /** The `host` header. */
  readonly host: string;
  /** 127.0.0.1 by default. */
  readonly address?: string;
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** With it, HTTPS: the server name that is asked for, the authority that must have signed the server's certificate, and what else Node takes. */
  readonly tls?: ConnectionOptions & { readonly serverName: string; readonly ca: string };
  /** Keeps connections. Without one, each call has its own. */
  readonly agent?: Agent;
}

/** What a request came to. */
export interface Reply {
  /** 0 when there was no answer at all. */
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** The body, or the error's text. */
  readonly text: string;
  /** What the backend saw; undefined where no backend answered. */
  readonly echo: Echo | undefined;
  /** Milliseconds from the request to the complete answer. */
  readonly took: number;
}

/** Sends one request. Never rejects: a connection error is a reply with status 0. */
export function call({ address = "127.0.0.1", agent, headers, host, method, path, port, tls }: Call): Promise<Reply> {
  const began = performance.now();
  return new Promise((resolve) => {
    const reply = (status: number, received: IncomingHttpHeaders, text: string) =>
      resolve({ status, headers: received, text, echo: echoOf(text), took: performance.now() - began });
    const fail = (error: Error) => reply(0, {}, error.message);
    const options = {
      ...{ host: address, port, method: method ?? "GET", path: path ?? "/", headers: { host, ...headers } },
      // Without one, Node would keep connections: what they come to is what the proxy was told before.
      agent: agent ?? false,
      signal: AbortSignal.timeout(20_000),
    };
    const sent =
      tls === undefined ? request(options) : requestByTls({ ...options, ...tls, servername: tls.serverName });
    sent.on("response", (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => (text += chunk));
      response.on("end", () => reply(response.statusCode ?? 0, response.headers, text));
      response.on("error", fail);
    });
    sent.on("error", fail);
    sent.end();
  });
}

function echoOf(text: string): Echo | undefined {
  if (!text.startsWith('{"service":')) return undefined;
  return JSON.parse(text) as Echo;
}

/** Sends many requests, some at once. */
export async function calls(count: number, one: Call | ((index: number) => Call), atOnce = 16): Promise<Reply[]> {
  const agent = new Agent({ keepAlive: true, maxSockets: atOnce });
  const replies: Reply[] = [];
  let next = 0;
  const loop = async () => {
    while (next < count) {
      const index = next++;
      replies.push(await call({ agent, ...(typeof one === "function" ? one(index) : one) }));
    }
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, count) }, loop));
  agent.destroy();
  return replies;
}

/** Which versions answered, each with its part of all replies in percent; `none` for replies of no backend. */
export function shares(replies: readonly Reply[]): Readonly<Record<string, number>> {
  const counts = new Map<string, number>();
  for (const { echo } of replies) counts.set(echo?.version ?? "none", (counts.get(echo?.version ?? "none") ?? 0) + 1);
  return Object.fromEntries([...counts].sort().map(([version, count]) => [version, (count * 100) / replies.length]));
}
