import { connect, createServer } from "node:net";
import type { AddressInfo, Server, Socket } from "node:net";

/** A way to a server that a test can hold up and cut. */
export class RedisProxy {
  readonly #server: Server;
  readonly #links = new Set<{ readonly client: Socket; readonly upstream: Socket }>();
  #held = false;
  #swallow: ((bytes: Buffer) => boolean) | undefined;

  private constructor(server: Server) {
    this.#server = server;
  }

  /** Opens one to the server at a `redis://` URL. */
  static async open(url: string): Promise<RedisProxy> {
    const server = createServer();
    const proxy = new RedisProxy(server);
    const { hostname, port } = new URL(url);
    server.on("connection", (client) => proxy.#link(client, connect({ host: hostname, port: Number(port) })));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return proxy;
  }

  get url(): string {
    return `redis://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Open connections. */
  get connections(): number {
    return this.#links.size;
  }

  /** Keeps what clients send, until `release`. */
  hold(): void {
    this.#held = true;
    for (const { client } of this.#links) client.pause();
  }

  release(): void {
    this.#held = false;
    for (const { client } of this.#links) client.resume();
  }

  /** Cuts the connection instead of passing on the first answer that comes after a request which `asks` picks. Resolves then. */
  async loseAnswerTo(asks: (request: Buffer) => boolean): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#swallow = (request) => {
        if (!asks(request)) return false;
        this.#swallow = undefined;
        resolve();
        return true;
      };
    });
  }

  /** Cuts all connections. */
  cut(): void {
    for (const { client, upstream } of this.#links) {
      client.destroy();
      upstream.destroy();
    }
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.cut();
    await closed;
  }

  #link(client: Socket, upstream: Socket): void {
    const link = { client, upstream };
    let losing = false;
    this.#links.add(link);
    client.on("data", (bytes: Buffer) => {
      if (this.#swallow?.(bytes) === true) losing = true;
      upstream.write(bytes);
    });
    upstream.on("data", (bytes: Buffer) => {
      if (losing) client.destroy();
      else client.write(bytes);
    });
    for (const [one, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      one.on("error", () => undefined);
      one.on("close", () => {
        this.#links.delete(link);
        other.destroy();
      });
    }
    if (this.#held) client.pause();
  }
}
