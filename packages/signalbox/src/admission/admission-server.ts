import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer, type Server } from "node:https";
import type { Logger } from "@signalbox/registry";
import { followKeyPair, loadKeyPair, type KeyPairFiles } from "@signalbox/xds-server";
import { judge, type Verdict } from "./review.ts";

/** How to make the server of the admission webhook. */
export interface AdmissionServerOptions extends KeyPairFiles {
  readonly host: string;
  /** `0` takes a free port. */
  readonly port: number;
  readonly logger: Logger;
  /** Called for each answered review. */
  readonly onReviewed: (result: "allowed" | "warned" | "refused" | "malformed") => void;
  /** Milliseconds between two looks at the certificate files; 1000 when absent. */
  readonly reloadMs?: number;
  /** Milliseconds within which a whole request must have come; 10000 when absent. */
  readonly receiveMs?: number;
}

/** Where the webhook is reached. */
export interface AdmissionAddress {
  readonly host: string;
  readonly port: number;
}

/** The server of the admission webhook: `POST /validate` and `GET /healthz`, over TLS. */
export interface AdmissionServer {
  /** Starts to listen. Rejects with Node's error, or with `XdsServerError` `SBX_XDS_CERTIFICATE`. Once only. */
  listen(): Promise<AdmissionAddress>;
  /** Stops listening and waits up to one second for running requests, then cuts them. May be called again. */
  close(): Promise<void>;
}

/** A whole object is at most as large as etcd takes, 1.5 MiB, and an update brings two of them. */
const bodyLimit = 3 * 1024 * 1024;
const connections = 512;

/** Makes the server of the admission webhook. Its verdicts depend on nothing but the objects themselves. */
export function createAdmissionServer(options: AdmissionServerOptions): AdmissionServer {
  return new HttpsAdmissionServer(options);
}

class HttpsAdmissionServer implements AdmissionServer {
  readonly #options: AdmissionServerOptions;
  readonly #stop = new AbortController();
  #server: Server | undefined;
  #following: Promise<void> | undefined;
  #closing: Promise<void> | undefined;

  constructor(options: AdmissionServerOptions) {
    this.#options = options;
  }

  async listen(): Promise<AdmissionAddress> {
    const { certFile, host, logger, port, receiveMs = 10_000, reloadMs = 1_000 } = this.#options;
    const current = await loadKeyPair(this.#options);
    const settings = {
      ...current,
      minVersion: "TLSv1.2" as const,
      handshakeTimeout: receiveMs,
      requestTimeout: receiveMs,
      headersTimeout: receiveMs,
      connectionsCheckingInterval: Math.min(1_000, receiveMs),
      maxHeaderSize: 16 * 1024,
    };
    const server = createServer(settings, (request, response) => void this.#answer(request, response));
    this.#server = server;
    server.maxConnections = connections;
    server.listen(port, host);
    await once(server, "listening");
    const bound = server.address();
    if (typeof bound !== "object" || bound === null) throw new Error("the server has no address");
    this.#following = followKeyPair(
      this.#options,
      {
        current,
        everyMs: reloadMs,
        onChange: (pair) => {
          server.setSecureContext({ ...pair, minVersion: "TLSv1.2" });
          logger.info("admission-certificates-reloaded", { certFile });
        },
        onRejected: (error) => logger.error("admission-certificates-rejected", { certFile, error }),
      },
      this.#stop.signal,
    );
    return { host: bound.address, port: bound.port };
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#stop.abort();
    await this.#following;
    const server = this.#server;
    if (server?.listening !== true) return;
    const cut = setTimeout(() => server.closeAllConnections(), 1_000);
    await new Promise((resolve) => server.close(resolve));
    clearTimeout(cut);
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = request.url?.replace(/\?.*/, "");
    if (path === "/healthz" && (request.method === "GET" || request.method === "HEAD")) {
      send(response, 200, "ok\n");
      return;
    }
    if (path !== "/validate") {
      refuse(request, response, 404, "there is POST /validate and GET /healthz");
      return;
    }
    if (request.method !== "POST") {
      refuse(request, response, 405, "POST an AdmissionReview");
      return;
    }
    let body: Buffer | undefined;
    try {
      body = await bodyOf(request);
    } catch {
      // The client went away, or its time was up, which Node has answered.
      return;
    }
    if (body === undefined) {
      this.#options.onReviewed("malformed");
      refuse(request, response, 413, `a review has at most ${bodyLimit} bytes`);
      return;
    }
    this.#respond(response, reviewed(body));
  }

  #respond(response: ServerResponse, verdict: Verdict): void {
    const { logger, onReviewed } = this.#options;
    if ("malformed" in verdict) {
      onReviewed("malformed");
      logger.debug("admission-malformed", { reason: verdict.malformed });
      send(response, 400, `the body ${verdict.malformed}\n`);
      return;
    }
    const { allowed, message, subject, uid, warnings } = verdict;
    onReviewed(allowed ? (warnings.length > 0 ? "warned" : "allowed") : "refused");
    if (!allowed) logger.info("admission-refused", { subject, message });
    const status = allowed ? {} : { status: { code: 400, reason: "BadRequest", message } };
    const answer = { uid, allowed, ...status, ...(warnings.length > 0 ? { warnings } : {}) };
    const review = { apiVersion: "admission.k8s.io/v1", kind: "AdmissionReview", response: answer };
    send(response, 200, JSON.stringify(review), "application/json");
  }
}

function reviewed(body: Buffer): Verdict {
  let review: unknown;
  try {
    review = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(body));
  } catch {
    return { malformed: "is no JSON" };
  }
  return judge(review);
}

/** Undefined for a body past the limit, of which no more is read. Rejects when the request is cut off. */
async function bodyOf(request: IncomingMessage): Promise<Buffer | undefined> {
  if (Number(request.headers["content-length"] ?? 0) > bodyLimit) return undefined;
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    request.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes <= bodyLimit) chunks.push(chunk);
      else {
        request.pause();
        resolve(undefined);
      }
    });
    request.on("end", () => resolve(Buffer.concat(chunks)));
    request.on("error", reject);
    request.on("close", () => reject(new Error("the request was cut off")));
  });
}

/** Answers without reading a body that may still be coming. */
function refuse(request: IncomingMessage, response: ServerResponse, status: number, text: string): void {
  response.setHeader("connection", "close");
  if (status === 405) response.setHeader("allow", "POST");
  response.once("finish", () => request.destroy());
  send(response, status, `${text}\n`);
}

function send(response: ServerResponse, status: number, body: string, type = "text/plain; charset=utf-8"): void {
  response.writeHead(status, { "content-type": type, "content-length": Buffer.byteLength(body) });
  response.end(body);
}
