import { readFileSync } from "node:fs";
import { createServer, type IncomingHttpHeaders, type RequestListener, type Server } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { TLSSocket } from "node:tls";

/** One request as a backend saw it, which is also what it answers. */
export interface Echo {
  readonly service: string;
  readonly version: string;
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  /** The common name of the caller's certificate, where the connection has one. */
  readonly caller?: string;
  /** The server name that the caller asked for, where the connection is TLS. */
  readonly serverName?: string;
}

/** What a backend does with a request. */
export interface Behaviour {
  /** 200 where absent. */
  readonly status?: number;
  /** Never answers: the caller has to give up. */
  readonly silent?: boolean;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A running backend of one version of a service. */
export interface EchoBackend {
  readonly version: string;
  readonly port: number;
  /** `host:port`. */
  readonly address: string;
  /** All requests so far, the oldest first. */
  readonly seen: readonly Echo[];
  /** From now on, requests are answered as this says; without it with 200. */
  behave(behaviour?: (echo: Echo) => Behaviour): void;
  /** Ends the server and its connections. */
  readonly stop: () => Promise<void>;
}

/** Options of `startEcho`. */
export interface EchoOptions {
  readonly service: string;
  readonly version: string;
  /** Paths in PEM form: with them it speaks TLS, with `ca` it demands a certificate of the caller. */
  readonly tls?: { readonly cert: string; readonly key: string; readonly ca?: string };
}

/** Starts an HTTP/1.1 server on a free loopback port that answers with what it saw, as JSON. */
export async function startEcho({ service, version, tls }: EchoOptions): Promise<EchoBackend> {
  const seen: Echo[] = [];
  let behaviour: (echo: Echo) => Behaviour = () => ({});
  const listener: RequestListener = (request, response) => {
    const echo: Echo = {
      service,
      version,
      method: request.method ?? "",
      path: request.url ?? "",
      headers: request.headers,
      ...peerOf(request.socket),
    };
    request.resume();
    seen.push(echo);
    const { headers = {}, silent = false, status = 200 } = behaviour(echo);
    if (silent) return;
    response.writeHead(status, { "content-type": "application/json", "x-internal": "yes", ...headers });
    response.end(JSON.stringify(echo));
  };
  const server: Server = tls === undefined ? createServer(listener) : createTlsServer(tlsOptions(tls), listener);
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen({ host: "127.0.0.1", port: 0 }, resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    version,
    port,
    address: `127.0.0.1:${port}`,
    seen,
    behave: (next = () => ({})) => {
      behaviour = next;
    },
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function tlsOptions({ ca, cert, key }: NonNullable<EchoOptions["tls"]>) {
  const own = { cert: readFileSync(cert), key: readFileSync(key) };
  return ca === undefined ? own : { ...own, ca: readFileSync(ca), requestCert: true, rejectUnauthorized: true };
}

function peerOf(socket: unknown): Pick<Echo, "caller" | "serverName"> {
  if (!(socket instanceof TLSSocket)) return {};
  const { servername } = socket as TLSSocket & { readonly servername?: string | false };
  const subject: unknown = socket.getPeerCertificate().subject;
  const caller = (subject as { readonly CN?: string } | undefined)?.CN;
  return {
    ...(caller === undefined ? {} : { caller }),
    ...(typeof servername === "string" ? { serverName: servername } : {}),
  };
}
