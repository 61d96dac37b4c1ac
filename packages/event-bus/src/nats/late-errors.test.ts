import { once } from "node:events";
import { createServer } from "node:net";
import type { AddressInfo, Socket } from "node:net";
import { setImmediate as nextTurn } from "node:timers/promises";
import { connect } from "@nats-io/transport-node";
import { afterEach, assert, expect, it, onTestFinished } from "vitest";
import { hearLateErrors, socketOf } from "./late-errors.ts";

const thrown: unknown[] = [];
const remember = (error: unknown): void => void thrown.push(error);

afterEach(() => {
  thrown.length = 0;
});

it("an error that comes after a connection was closed does not end the process", async () => {
  const { port, accepted } = await greetingServer();
  const connection = await connect({ servers: `127.0.0.1:${port}`, reconnect: false });
  hearLateErrors(connection);
  const socket = socketOf(connection);
  assert(socket !== undefined);
  catchThrown();

  const ended = once(socket, "end");
  (await accepted).end();
  await ended;
  // The socket is ending and not yet destroyed: what is written now fails, and tells in the next tick.
  for (let ticks = 0; !socket.writableEnded && ticks < 100; ticks++) await nextTick();
  expect(socket).toMatchObject({ writableEnded: true, destroyed: false });
  connection.publish("a.subject");
  await Promise.resolve();
  void connection.close();

  await connection.closed();
  await nextTurn();
  expect(socket.errored).toMatchObject({ code: "ERR_STREAM_WRITE_AFTER_END" });
  expect(thrown).toEqual([]);
  expect(socket.eventNames()).toEqual(["error"]);
});

function nextTick(): Promise<void> {
  return new Promise((resolve) => process.nextTick(resolve));
}

/** Vitest's own listeners would end the run. */
function catchThrown(): void {
  const others = process.listeners("uncaughtException");
  process.removeAllListeners("uncaughtException").on("uncaughtException", remember);
  onTestFinished(() => {
    process.off("uncaughtException", remember);
    for (const other of others) process.on("uncaughtException", other);
  });
}

/** Speaks as much NATS as a connection needs to come to be. */
async function greetingServer(): Promise<{ port: number; accepted: Promise<Socket> }> {
  const server = createServer();
  const accepted = new Promise<Socket>((resolve) => server.once("connection", resolve)).then((peer) => {
    peer.on("error", () => undefined);
    peer.on("data", (bytes) => {
      if (bytes.includes("PING")) peer.write("PONG\r\n");
    });
    peer.write('INFO {"server_id":"a","version":"2.12.0","proto":1,"max_payload":1048576,"headers":true}\r\n');
    return peer;
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.close();
  });
  return { port: (server.address() as AddressInfo).port, accepted };
}
