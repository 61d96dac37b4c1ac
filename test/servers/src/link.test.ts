import { connect, createServer } from "node:net";
import type { AddressInfo, Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { startLink } from "./link.ts";
import type { Link } from "./link.ts";
import { waitFor } from "./wait-for.ts";

/** A client that keeps what it got. */
class Client {
  readonly socket: Socket;
  text = "";
  closed = false;

  constructor(port: number) {
    this.socket = connect({ host: "127.0.0.1", port });
    this.socket.setEncoding("utf8");
    this.socket.on("data", (chunk: string) => (this.text += chunk));
    this.socket.on("error", () => {});
    this.socket.on("close", () => (this.closed = true));
  }

  async got(text: string): Promise<void> {
    await waitFor(() => this.text === text, { what: `the answer ${text}` });
  }
}

describe("a link", () => {
  const echo = createServer((socket) => socket.pipe(socket));
  let link: Link;
  const clients: Client[] = [];
  const client = (): Client => {
    const made = new Client(link.port);
    clients.push(made);
    return made;
  };

  beforeEach(async () => {
    await new Promise<void>((resolve) => echo.listen({ host: "127.0.0.1", port: 0 }, resolve));
    link = await startLink((echo.address() as AddressInfo).port);
  });

  afterEach(async () => {
    for (const { socket } of clients.splice(0)) socket.destroy();
    await link.close();
    await new Promise<void>((resolve) => echo.close(() => resolve()));
  });

  it("passes what is sent, both ways and large", async () => {
    const large = "x".repeat(3_000_000);
    const one = client();
    one.socket.write(large);
    await one.got(large);
  });

  it("holds back everything while it is blocked, and loses nothing", async () => {
    const one = client();
    one.socket.write("a");
    await one.got("a");
    link.block();
    one.socket.write("b");
    const two = client();
    two.socket.write("c");
    await waitFor(() => !two.socket.connecting, { what: "the second connection" });
    // Another link to the same server shows that time passed in which an answer could have come.
    const other = await startLink((echo.address() as AddressInfo).port);
    const three = new Client(other.port);
    three.socket.write("d");
    await three.got("d");
    three.socket.destroy();
    await other.close();
    expect([one.text, two.text]).toEqual(["a", ""]);
    link.up();
    await one.got("ab");
    await two.got("c");
  });

  it("ends connections when it is cut, and takes new ones when it is up again", async () => {
    const one = client();
    one.socket.write("a");
    await one.got("a");
    link.cut();
    await waitFor(() => one.closed, { what: "the end of the connection" });
    const two = client();
    await waitFor(() => two.closed, { what: "the end of the new connection" });
    link.up();
    const three = client();
    three.socket.write("c");
    await three.got("c");
  });

  it("takes its time when it is slow", async () => {
    link.slow(50);
    const one = client();
    const before = performance.now();
    one.socket.write("a");
    await one.got("a");
    expect(performance.now() - before).toBeGreaterThan(95);
  });
});
