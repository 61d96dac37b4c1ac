import { connect, createServer } from "node:net";
import type { Server, Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";

/** A network between one client and one server on loopback, which a test can break. `close()` must be called. */
export interface Link {
  /** The TCP port of 127.0.0.1 that the client connects to. */
  readonly port: number;
  /** All passes at once. What waits goes on. */
  up(): void;
  /** Ends all connections now, and each new one as soon as it is made. */
  cut(): void;
  /** Nothing passes and nothing ends: a partition. New connections are accepted, as by a server that hangs. */
  block(): void;
  /** Each piece of at most 64 KiB takes so many milliseconds, in each direction. */
  slow(delayMs: number): void;
  /** Ends everything. */
  close(): Promise<void>;
}

/** Makes a link to a port of 127.0.0.1, which nobody needs to listen on yet. */
export async function startLink(target: number): Promise<Link> {
  const link = new LoopbackLink(target);
  await link.listen();
  return link;
}

class LoopbackLink implements Link {
  readonly #target: number;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #port = 0;
  #state: "up" | "cut" | "blocked" = "up";
  #delayMs = 0;
  #moved: () => void = () => {};
  #move = new Promise<void>((resolve) => (this.#moved = resolve));

  constructor(target: number) {
    this.#target = target;
    this.#server = createServer({ allowHalfOpen: true }, (client) => this.#join(client));
  }

  get port(): number {
    return this.#port;
  }

  async listen(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen({ host: "127.0.0.1", port: 0 }, resolve);
    });
    const address = this.#server.address();
    if (typeof address === "object" && address !== null) this.#port = address.port;
  }

  up(): void {
    this.#become("up", 0);
  }

  cut(): void {
    this.#become("cut", 0);
    for (const socket of this.#sockets) socket.destroy();
  }

  block(): void {
    this.#become("blocked", 0);
  }

  slow(delayMs: number): void {
    this.#become("up", delayMs);
  }

  async close(): Promise<void> {
    this.cut();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #become(state: "up" | "cut" | "blocked", delayMs: number): void {
    this.#state = state;
    this.#delayMs = delayMs;
    this.#moved();
    this.#move = new Promise<void>((resolve) => (this.#moved = resolve));
  }

  #join(client: Socket): void {
    if (this.#state === "cut") {
      client.destroy();
      return;
    }
    const server = connect({ host: "127.0.0.1", port: this.#target, allowHalfOpen: true, noDelay: true });
    client.setNoDelay(true);
    for (const socket of [client, server]) {
      this.#sockets.add(socket);
      socket.on("error", () => {});
      socket.once("close", () => {
        this.#sockets.delete(socket);
        client.destroy();
        server.destroy();
      });
    }
    void this.#pass(client, server);
    void this.#pass(server, client);
  }

  async #pass(from: Socket, to: Socket): Promise<void> {
    try {
      for await (const chunk of from as AsyncIterable<Buffer>) {
        if (this.#delayMs > 0) await delay(this.#delayMs);
        while (this.#state === "blocked") await this.#move;
        if (!to.write(chunk)) await drained(to);
      }
      while (this.#state === "blocked") await this.#move;
      to.end();
    } catch {
      // One side was destroyed, and the other one goes with it.
    }
  }
}

async function drained(socket: Socket): Promise<void> {
  await new Promise<void>((resolve) => {
    const go = (): void => {
      socket.off("drain", go);
      socket.off("close", go);
      resolve();
    };
    socket.on("drain", go);
    socket.on("close", go);
    if (socket.destroyed) go();
  });
}
