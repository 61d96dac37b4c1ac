import { Client, credentials, Metadata, status as grpcCode } from "@grpc/grpc-js";
import type { ClientDuplexStream, StatusObject } from "@grpc/grpc-js";
import { afterEach, describe, expect, it } from "vitest";
import { framed, startListener } from "../testing/echo-listener.ts";
import type { TestListener } from "../testing/echo-listener.ts";
import { waitFor } from "../testing/wait.ts";
import type { StreamCall } from "../transport.ts";

const open: (() => Promise<void> | void)[] = [];

afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

async function start(options: Parameters<typeof startListener>[0] = {}): Promise<TestListener> {
  const started = await startListener(options);
  open.push(() => started.listener.close());
  return started;
}

function connect(port: number): Client {
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure(), {
    "grpc.max_receive_message_length": -1,
    "grpc.use_local_subchannel_pool": 1,
  });
  open.push(() => client.close());
  return client;
}

interface Call {
  readonly stream: ClientDuplexStream<Buffer, Buffer>;
  readonly received: Buffer[];
  readonly status: Promise<StatusObject>;
}

function call(client: Client, path = "/test.Echo/Stream", options: { deadline?: number } = {}): Call {
  const asIs = (bytes: Buffer): Buffer => bytes;
  const stream = client.makeBidiStreamRequest(path, asIs, asIs, new Metadata(), options);
  const received: Buffer[] = [];
  stream.on("data", (message: Buffer) => received.push(message));
  stream.on("error", () => {
    // The status says it too.
  });
  const status = new Promise<StatusObject>((resolve) => stream.on("status", resolve));
  return { stream, received, status };
}

describe("a grpc-js client", () => {
  it("gets its messages back in order and status OK after it half-closes", async () => {
    const { port } = await start();
    const { stream, received, status } = call(connect(port));
    const messages = ["one", "", "three"].map((text) => Buffer.from(text));
    for (const message of messages) stream.write(message);
    await waitFor(() => received.length === 3, "three echoes");
    stream.end();
    expect((await status).code).toBe(grpcCode.OK);
    expect(received).toEqual(messages);
  });

  it("gets a message of 3 MB up and down unchanged", async () => {
    const { port } = await start();
    const { stream, received } = call(connect(port));
    const message = Buffer.alloc(3_000_000, "signalbox");
    stream.write(message);
    await waitFor(() => received.length === 1, "the echo", 20_000);
    expect(received[0]?.equals(message)).toBe(true);
  });

  it.each([
    ["a small message", 150, 10],
    ["one of 1 MB, whose slices wait for each other", 30, 1_000_000],
  ])("gets its own messages back also where many come at once, each with %s", async (_, clients, size) => {
    const { port } = await start();
    const calls = Array.from({ length: clients }, (unused, at) => ({
      message: Buffer.alloc(size, `client ${String(at)} `),
      call: call(connect(port)),
    }));
    for (const { message, call: each } of calls) each.stream.write(message);
    await waitFor(() => calls.every(({ call: { received } }) => received.length === 1), "all echoes", 20_000);
    expect(calls.every(({ call: { received }, message }) => received[0]?.equals(message))).toBe(true);
    for (const { call: each } of calls) each.stream.end();
    const codes = await Promise.all(calls.map(async ({ call: { status } }) => (await status).code));
    expect(new Set(codes)).toEqual(new Set([grpcCode.OK]));
  });

  it("gets RESOURCE_EXHAUSTED for a message over the limit", async () => {
    const { port, refusals } = await start({ limits: { receiveBytes: 1000 } });
    const { stream, status } = call(connect(port));
    stream.write(Buffer.alloc(1001));
    expect(await status).toMatchObject({
      code: grpcCode.RESOURCE_EXHAUSTED,
      details: "the message has 1001 bytes, the limit is 1000",
    });
    expect(refusals).toEqual(["the message has 1001 bytes, the limit is 1000"]);
  });

  it("gets what the server says in the last step of a message, before what comes behind it and the end", async () => {
    const said: string[] = [];
    let steps = 0;
    const { port } = await start({
      accept: (stream) => ({
        message: function* (bytes) {
          for (const slow = performance.now() + 20; performance.now() < slow; steps++) yield;
          said.push(Buffer.from(bytes).toString());
          if (said.length === 2) stream.write(framed(bytes), () => {});
          return undefined;
        },
        closed: () => said.push("closed"),
      }),
    });
    const { stream, received, status } = call(connect(port));
    for (const message of ["one", "two"]) stream.write(Buffer.from(message));
    stream.end();
    expect((await status).code).toBe(grpcCode.OK);
    expect([said, received.map(String)]).toEqual([["one", "two", "closed"], ["two"]]);
    expect(steps).toBeGreaterThan(2);
  });

  it("gets INTERNAL when a step fails, and another stream of its connection does not notice", async () => {
    const { port, refusals } = await start({
      accept: (stream) => ({
        message: function* (bytes) {
          yield;
          if (bytes.length === 0) throw new Error("no");
          stream.write(framed(bytes), () => {});
          return undefined;
        },
        closed: () => {},
      }),
    });
    const client = connect(port);
    const [failing, other] = [call(client), call(client)];
    failing.stream.write(Buffer.alloc(0));
    expect(await failing.status).toMatchObject({ code: grpcCode.INTERNAL, details: "internal error" });
    other.stream.write(Buffer.from("x"));
    await waitFor(() => other.received.length === 1, "the answer");
    expect(refusals).toEqual(["the handler failed: no"]);
  });

  it("gets UNIMPLEMENTED for an unknown method", async () => {
    const { port } = await start();
    expect(await call(connect(port), "/test.Echo/Nothing").status).toMatchObject({
      code: grpcCode.UNIMPLEMENTED,
      details: "unknown method /test.Echo/Nothing",
    });
  });

  it("gets DEADLINE_EXCEEDED from a server that keeps its deadline", async () => {
    const ended: string[] = [];
    const { port } = await start({ accept: () => ({ message: () => {}, closed: () => ended.push("closed") }) });
    const { status } = call(connect(port), "/any", { deadline: Date.now() + 100 });
    expect((await status).code).toBe(grpcCode.DEADLINE_EXCEEDED);
    await waitFor(() => ended.length === 1, "closed");
  });

  it.each([
    ["before any message", false],
    ["after a message", true],
  ])("reads status and message that the server ends with %s", async (_name, writes) => {
    const closed: string[] = [];
    const { port } = await start({
      accept: (stream) => ({
        message(bytes) {
          if (writes) stream.write([Uint8Array.of(0, 0, 0, 0, bytes.length), bytes], () => {});
          stream.end(7, "100 % verboten: ü\n");
          stream.end(0, "a second end says nothing");
        },
        closed: () => closed.push("closed"),
      }),
    });
    const { stream, received, status } = call(connect(port));
    stream.write(Buffer.from("x"));
    expect(await status).toMatchObject({ code: 7, details: "100 % verboten: ü\n" });
    expect(received.length).toBe(writes ? 1 : 0);
    await waitFor(() => closed.length > 0, "closed");
    expect(closed).toEqual(["closed"]);
  });

  it("may open a thousand streams: the server takes 100 at a time on one connection", async () => {
    let most = 0;
    const calls = new Set<StreamCall>();
    const { port } = await start({
      accept: (stream) => {
        calls.add(stream);
        most = Math.max(most, calls.size);
        return {
          message: (bytes) => {
            stream.write([Uint8Array.of(0, 0, 0, 0, bytes.length), bytes], () => {});
          },
          closed: () => calls.delete(stream),
        };
      },
    });
    const client = connect(port);
    const all = Array.from({ length: 1000 }, () => call(client));
    let answered = 0;
    for (const { stream } of all) {
      stream.on("data", () => {
        answered += 1;
        stream.end();
      });
      stream.write(Buffer.from("x"));
    }
    await waitFor(() => answered === 1000, "a thousand answers", 20_000);
    expect((await Promise.all(all.map(({ status }) => status))).every(({ code }) => code === grpcCode.OK)).toBe(true);
    expect(most).toBe(100);
  });
});
