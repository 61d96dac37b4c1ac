import { connect, createServer } from "node:net";
import type { AddressInfo, Server, Socket } from "node:net";

/** A way to a server that can lose an answer: the request arrives, then the connection breaks. `close()` must be called. */
export class RedisProxy {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #asks: ((request: Buffer) => boolean) | undefined;

  private constructor(server: Server) {
    this.#server = server;
  }

  /** Opens one to the server at a `redis://` URL. */
  static async open(url: string): Promise<RedisProxy> {
    const server = createServer();
    const proxy = new RedisProxy(server);
    const { hostname, port } = new URL(url);
    server.on("connection", (client) => proxy.#join(client, connect({ host: hostname, port: Number(port) })));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return proxy;
  }

  get url(): string {
    return `redis://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Whether the answer of `loseAnswerTo` was lost, or nobody asked for it. */
  get lost(): boolean {
    return this.#asks === undefined;
  }

  /** The first request that `asks` picks reaches the server; its answer does not come back. */
  loseAnswerTo(asks: (request: Buffer) => boolean): void {
    this.#asks = asks;
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  #join(client: Socket, upstream: Socket): void {
    let losing = false;
    client.on("data", (bytes: Buffer) => {
      if (this.#asks?.(bytes) === true) {
        losing = true;
        this.#asks = undefined;
      }
      upstream.write(bytes);
    });
    upstream.on("data", (bytes: Buffer) => {
      if (losing) client.destroy();
      else client.write(bytes);
    });
    for (const socket of [client, upstream]) {
      this.#sockets.add(socket);
      socket.on("error", () => undefined);
      socket.on("close", () => {
        this.#sockets.delete(socket);
        client.destroy();
        upstream.destroy();
      });
    }
  }
}
