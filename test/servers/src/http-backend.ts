import { createServer } from "node:http";
import type { IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";

/** One request as a backend saw it. */
export interface SeenRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
}

/** A running backend. */
export interface Backend {
  readonly name: string;
  readonly host: string;
  readonly port: number;
  /** `host:port`; an IPv6 host in brackets. */
  readonly address: string;
  /** Requests answered so far. */
  requests(): number;
  /** The last request, if there was one. */
  lastRequest(): SeenRequest | undefined;
  /** Ends the server and its connections. May be called twice. */
  readonly stop: () => Promise<void>;
}

/** Options of both kinds of backend. */
export interface BackendOptions {
  /** What it answers with, to tell backends apart. */
  readonly name: string;
  /** 127.0.0.1 by default. */
  readonly host?: string;
  /** 0, any free port, by default. */
  readonly port?: number;
}

/** Starts a real HTTP/1.1 server that answers every request with 200 and its name, as text and in the header `x-backend`. */
export async function startHttpBackend(options: BackendOptions): Promise<Backend> {
  const { name, host = "127.0.0.1", port = 0 } = options;
  let requests = 0;
  let lastRequest: SeenRequest | undefined;
  const server = createServer((request, response) => {
    requests++;
    lastRequest = { method: request.method ?? "", path: request.url ?? "", headers: request.headers };
    request.resume();
    response.writeHead(200, { "content-type": "text/plain; charset=utf-8", "x-backend": encodeURIComponent(name) });
    response.end(name);
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen({ host, port }, resolve);
  });
  const bound = (server.address() as AddressInfo).port;
  return {
    name,
    host,
    port: bound,
    address: host.includes(":") ? `[${host}]:${bound}` : `${host}:${bound}`,
    requests: () => requests,
    lastRequest: () => lastRequest,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
