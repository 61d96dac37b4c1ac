import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";

/**
 * The road to a server on loopback, which can be cut while the server itself stays up. Bytes pass as they are, TLS and all.
 * Closed at first; `close()` must be called in the end.
 */
export class Road {
  readonly #target: URL;
  readonly #sockets = new Set<Socket>();
  readonly #clients = new Set<Socket>();
  #server: Server | undefined;
  #joined = 0;
  #port = 0;
  /** Bytes of the server that each connection lets pass before it breaks. */
  limit = Number.POSITIVE_INFINITY;
  /** Nothing passes, and nothing ends. */
  stalled = false;

  /** `target` is the server's URL. */
  constructor(target: string) {
    this.#target = new URL(target);
  }

  /** The server's URL by this road: the same but for the port. Stays the same from the first `open()` on. */
  get url(): string {
    const { pathname, protocol } = this.#target;
    return `${protocol}//127.0.0.1:${this.#port}${pathname === "/" ? "" : pathname}`;
  }

  /** Connections that are open now. */
  get connections(): number {
    return this.#clients.size;
  }

  /** Connections that were taken so far. */
  get joined(): number {
    return this.#joined;
  }

  /** Takes connections, from now on or again. */
  async open(): Promise<void> {
    if (this.#server !== undefined) return;
    const server = createServer((client) => this.#join(client));
    await new Promise<void>((resolve) => server.listen(this.#port, "127.0.0.1", resolve));
    this.#port = (server.address() as AddressInfo).port;
    this.#server = server;
  }

  /** Breaks every connection. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Breaks every connection and takes no new one. */
  async close(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    this.cut();
    if (server !== undefined) await new Promise((resolve) => server.close(resolve));
  }

  #join(client: Socket): void {
    const upstream = connect(Number(this.#target.port), "127.0.0.1");
    let left = this.limit;
    this.#joined++;
    this.#clients.add(client);
    client.on("close", () => this.#clients.delete(client));
    const both = [client, upstream];
    for (const socket of both) {
      this.#sockets.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => {
        this.#sockets.delete(socket);
        for (const other of both) other.destroy();
      });
    }
    if (this.stalled) return;
    client.pipe(upstream);
    upstream.on("data", (data: Buffer) => {
      client.write(data.subarray(0, Math.min(data.length, left)));
      left -= data.length;
      if (left <= 0) client.end();
    });
  }
}
