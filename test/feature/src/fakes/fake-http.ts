import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** A real HTTP server on a loopback port. What it answers is said by the classes that extend it. */
export abstract class FakeHttp {
  /** Path and query of every request, in order. */
  readonly requests: string[] = [];
  #server: Server | undefined;
  #url = "";

  /** `http://127.0.0.1:<port>`. */
  get url(): string {
    return this.#url;
  }

  async start(): Promise<this> {
    const server = createServer((request, response) => {
      this.requests.push(request.url ?? "");
      this.answer(new URL(request.url ?? "/", "http://fake"), request, response);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    this.#url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    this.#server = server;
    return this;
  }

  async stop(): Promise<void> {
    const server = this.#server;
    if (server === undefined) return;
    const closed = new Promise((resolve) => server.close(resolve));
    server.closeAllConnections();
    await closed;
  }

  protected abstract answer(url: URL, request: IncomingMessage, response: ServerResponse): void;
}

/** Answers with JSON. */
export function sendJson(
  response: ServerResponse,
  body: unknown,
  status = 200,
  headers: Readonly<Record<string, string>> = {},
): void {
  response.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify(body));
}
