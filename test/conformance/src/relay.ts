import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";

/** Hands bytes to and fro between its own port and another one. */
export class Relay {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  /** From now on a connection ends in the middle of the answer. */
  cutting = false;
  #lost = false;

  private constructor(target: number) {
    this.#server = createServer((client) => {
      this.#sockets.add(client);
      client.on("close", () => this.#sockets.delete(client));
      if (this.#lost) {
        client.on("error", () => {}).resume();
        return;
      }
      const upstream = connect(target, "127.0.0.1");
      for (const [socket, other] of [
        [client, upstream],
        [upstream, client],
      ] as const) {
        socket.on("error", () => {});
        socket.on("close", () => other.destroy());
      }
      client.pipe(upstream);
      upstream.on("data", (chunk: Buffer) => {
        if (!this.cutting) client.write(chunk);
        else client.write(chunk.subarray(0, Math.floor(chunk.length / 2)), () => client.destroy());
      });
    });
  }

  /** Opens a port of its own before the target. `close()` must be called. */
  static async open(target: number): Promise<Relay> {
    const relay = new Relay(target);
    await new Promise<void>((resolve) => relay.#server.listen(0, "127.0.0.1", resolve));
    return relay;
  }

  /** Its own port. */
  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** How many connections are open. */
  get connections(): number {
    return this.#sockets.size;
  }

  /** From now on nothing arrives and nobody is answered, as on a network that is cut; or it does again. */
  lose(lost: boolean): void {
    this.#lost = lost;
    this.#end();
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#end();
    await closed;
  }

  #end(): void {
    for (const socket of this.#sockets) socket.destroy();
  }
}
