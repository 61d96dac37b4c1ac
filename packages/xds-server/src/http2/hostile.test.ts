import { readdirSync } from "node:fs";
import { connect as connectHttp2 } from "node:http2";
import type { ClientHttp2Session, ClientHttp2Stream, IncomingHttpHeaders } from "node:http2";
import { afterEach, assert, beforeEach, describe, expect, it } from "vitest";
import { echoHandler, framed, startListener } from "../testing/echo-listener.ts";
import type { TestListener } from "../testing/echo-listener.ts";
import { callFrame, frameType, preface, rawClient, rawFrame } from "../testing/raw-client.ts";
import { waitFor } from "../testing/wait.ts";
import { turnMs } from "../turns.ts";

const settings = rawFrame(frameType.settings, 0, 0, new Uint8Array());
const open: (() => Promise<void> | void)[] = [];

afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

async function start(options: Parameters<typeof startListener>[0] = {}): Promise<TestListener> {
  const started = await startListener(options);
  open.push(() => started.listener.close());
  return started;
}

async function raw(port: number, ...bytes: Uint8Array[]): ReturnType<typeof rawClient> {
  const client = await rawClient(port, Buffer.concat(bytes));
  open.push(() => {
    client.socket.destroy();
  });
  return client;
}

function session(port: number): ClientHttp2Session {
  const client = connectHttp2(`http://127.0.0.1:${port}`);
  client.on("error", () => {
    // The tests look at the server.
  });
  open.push(() => client.destroy());
  return client;
}

function request(client: ClientHttp2Session, headers: Record<string, string> = {}): ClientHttp2Stream {
  const stream = client.request({
    ":method": "POST",
    ":path": "/test.Echo/Stream",
    "content-type": "application/grpc",
    te: "trailers",
    ...headers,
  });
  stream.on("error", () => {
    // The tests look at the server.
  });
  return stream;
}

/** A well-behaved client that must not notice what the others do. */
async function healthyEcho(stream: ClientHttp2Stream): Promise<number> {
  const startedAt = performance.now();
  let answered = false;
  stream.once("data", () => (answered = true));
  stream.write(Buffer.concat(framed(Buffer.from("ping"))));
  await waitFor(() => answered, "the echo of the healthy client");
  return performance.now() - startedAt;
}

describe("a connection that is not HTTP/2", () => {
  it.each([
    ["garbage", Buffer.from("\u0000\u0001garbage\r\n\r\n".repeat(10))],
    ["an HTTP/1 request", Buffer.from("GET / HTTP/1.1\r\nHost: x\r\n\r\n")],
    ["a TLS hello", Buffer.from("16030100c8010000c40303", "hex")],
  ])("is closed at once: %s", async (_name, bytes) => {
    const { port, refusals, listener } = await start();
    const client = await raw(port, bytes);
    await waitFor(client.closed, "closed");
    await waitFor(() => listener.status().sockets === 0, "no socket left");
    expect(refusals.length).toBeGreaterThan(0);
  });

  it.each([
    ["silent TCP", Buffer.alloc(0), "no HTTP/2 preface in time"],
    ["half a preface", preface.subarray(0, 10), "no HTTP/2 preface in time"],
    ["a preface without settings", preface, "no HTTP/2 preface in time"],
  ])("is closed when its time is over: %s", async (_name, bytes, reason) => {
    const { port, refusals } = await start({ limits: { handshakeMs: 60 } });
    const client = await raw(port, bytes);
    await waitFor(client.closed, "closed");
    expect(refusals).toEqual([reason]);
  });

  it("is closed when it opens no stream", async () => {
    const { port, refusals } = await start({ limits: { idleMs: 60 } });
    const client = await raw(port, preface, settings);
    await waitFor(client.closed, "closed");
    expect(refusals).toEqual(["no stream for too long"]);
  });
});

describe("a client that goes as grpc-go does", () => {
  const reset = rawFrame(frameType.reset, 0, 1, Buffer.from("00000008", "hex"));
  // The last stream that it took: the highest number there is, though the server opened none.
  const goAway = rawFrame(frameType.goAway, 0, 0, Buffer.from("7fffffff00000000", "hex"));

  it("is not refused, once its streams are closed", async () => {
    const { port, refusals, listener } = await start();
    const client = await raw(port, preface, settings, callFrame(1));
    await waitFor(() => listener.status().streams === 1, "a stream");
    client.socket.end(Buffer.concat([reset, goAway]));
    await waitFor(() => listener.status().sockets === 0, "no socket left");
    expect(refusals).toEqual([]);
  });

  it("is refused for a flood", async () => {
    const { port, refusals, listener } = await start();
    const client = await raw(port, preface, settings, callFrame(1));
    await waitFor(() => listener.status().streams === 1, "a stream");
    client.socket.write(reset);
    await waitFor(() => listener.status().streams === 0, "no stream");
    const ping = rawFrame(frameType.ping, 0, 0, new Uint8Array(8));
    client.socket.pause();
    client.socket.write(Buffer.concat(Array.from({ length: 200_000 }, () => ping)));
    await waitFor(() => refusals.length > 0, "a refusal", 10_000);
    expect(refusals[0]).toMatch(/^HTTP\/2: /);
  });

  it.each([
    ["opened none", []],
    ["has one open", [callFrame(1)]],
  ])("is refused for its mistake where it %s", async (_, frames) => {
    const { port, refusals, listener } = await start();
    await raw(port, preface, settings, ...frames, goAway);
    await waitFor(() => refusals.length > 0 && listener.status().sockets === 0, "a refusal, and no socket left");
    expect(refusals).toEqual(["HTTP/2: Protocol error"]);
  });
});

describe("a request that is no gRPC call", () => {
  it.each([
    ["another content type", { "content-type": "application/json" }, 415],
    ["a content type that only begins alike", { "content-type": "application/grpcx" }, 415],
    ["another method", { ":method": "GET" }, 405],
    ["no content type", { "content-type": "" }, 415],
  ])("is refused: %s", async (_name, headers, status) => {
    const { port } = await start();
    const stream = request(session(port), headers);
    let answer: IncomingHttpHeaders | undefined;
    stream.on("response", (got) => (answer = got));
    expect((await waitFor(() => answer, "an answer"))[":status"]).toBe(status);
  });

  it("is taken with a content type that names a codec", async () => {
    const { port } = await start();
    expect(await healthyEcho(request(session(port), { "content-type": "application/grpc+proto" }))).toBeLessThan(5_000);
  });
});

describe("a hostile stream", () => {
  async function trailersOf(
    port: number,
    headers: Record<string, string>,
    ...bytes: Uint8Array[]
  ): Promise<IncomingHttpHeaders> {
    const stream = request(session(port), headers);
    let last: IncomingHttpHeaders | undefined;
    stream.on("response", (got) => {
      if (got["grpc-status"] !== undefined) last = got;
    });
    stream.on("trailers", (got: IncomingHttpHeaders) => (last = got));
    stream.resume();
    for (const part of bytes) stream.write(part);
    return waitFor(() => last, "a status");
  }

  it.each([
    ["a compressed message", Buffer.from("0100000001ff", "hex"), "12"],
    ["an unknown flag", Buffer.from("0900000001ff", "hex"), "13"],
    ["an announced length of 4 GB", Buffer.from("00ffffffff", "hex"), "8"],
  ])("ends with a status for %s", async (_name, bytes, code) => {
    const { port } = await start();
    expect((await trailersOf(port, {}, bytes))["grpc-status"]).toBe(code);
  });

  it("ends with INTERNAL when it half-closes within a message", async () => {
    const { port } = await start();
    const stream = request(session(port));
    let answer: IncomingHttpHeaders | undefined;
    stream.on("response", (got) => (answer = got));
    stream.end(Buffer.from("0000000010ff", "hex"));
    expect(await waitFor(() => answer, "an answer")).toMatchObject({ "grpc-status": "13" });
  });

  it("ends with a status when it half-closes without a message before it is opened", async () => {
    let accepted = 0;
    const { listener, port } = await start({
      accept: (call) => {
        accepted++;
        // Nothing is left of the turn.
        for (const from = performance.now(); performance.now() - from < turnMs;);
        return echoHandler(call);
      },
    });
    const halfClose = rawFrame(frameType.data, 1, 3, new Uint8Array());
    await raw(port, preface, settings, callFrame(1), callFrame(3), halfClose);
    await waitFor(() => accepted === 2 && listener.status().streams === 1, "the end of the second stream");
  });

  it("gets its message whole also where nothing was left of the turn in which a part of it came", async () => {
    const received: number[] = [];
    const { listener, port } = await start({
      accept: () => ({
        message(bytes) {
          received.push(bytes.length);
          for (const from = performance.now(); performance.now() - from < turnMs;);
        },
        closed: () => {},
      }),
    });
    const [small, large] = [1, 60_000].map((size) => Buffer.concat(framed(Buffer.alloc(size))));
    assert(small !== undefined && large !== undefined);
    const parts = [0, 15_000, 30_000, 45_000].map((at) =>
      large.subarray(at, at === 45_000 ? large.length : at + 15_000),
    );
    const frames = parts.flatMap((part, index) => [
      rawFrame(frameType.data, 0, 1, small),
      rawFrame(frameType.data, index === 3 ? 1 : 0, 3, part),
    ]);
    await raw(port, preface, settings, callFrame(1), callFrame(3), ...frames);
    await waitFor(() => received.length === 5 && listener.status().streams === 1, "the message and the end behind it");
    expect(received.toSorted((a, b) => a - b)).toEqual([1, 1, 1, 1, 60_000]);
  });

  it("ends at its own deadline", async () => {
    const { port } = await start();
    expect(await trailersOf(port, { "grpc-timeout": "50m" })).toMatchObject({ "grpc-status": "4" });
    expect(await trailersOf(port, { "grpc-timeout": "soon" })).toMatchObject({ "grpc-status": "13" });
  });

  it("holds no more unfinished bytes than the connection may", async () => {
    const { port, refusals } = await start({ limits: { receiveBytes: 100_000, partialBytes: 190_000 } });
    const client = session(port);
    const unfinished = Buffer.concat([Buffer.from("0000013880", "hex"), Buffer.alloc(60_000)]);
    for (let index = 0; index < 3; index += 1) request(client).write(unfinished);
    await waitFor(() => refusals.length === 1, "one refusal");
    expect(refusals).toEqual(["the connection holds too many unfinished messages"]);
    const whole = Buffer.concat(framed(Buffer.alloc(20_000)));
    const stream = request(client);
    let bytes = 0;
    stream.on("data", (chunk: Buffer) => (bytes += chunk.length));
    stream.write(whole);
    await waitFor(() => bytes === whole.length, "the others go on");
  });

  it("may send its message byte by byte", async () => {
    const { port } = await start();
    const client = await raw(port, preface, settings, callFrame(1));
    const message = Buffer.concat(framed(Buffer.from("slowly")));
    for (const byte of message) client.socket.write(rawFrame(frameType.data, 0, 1, Buffer.of(byte)));
    await waitFor(() => client.received().includes("slowly"), "the echo");
  });

  it.each(["accept", "message", "done", "closed"])("whose handler throws in %s ends with INTERNAL", async (place) => {
    const fault = (at: string): void => {
      if (at === place) throw new Error("fault");
    };
    const { port, refusals } = await start({
      accept: (call) => {
        fault("accept");
        return {
          message(bytes) {
            fault("message");
            call.write(framed(bytes), () => {
              fault("done");
              call.end(13, "the end");
            });
          },
          closed: () => fault("closed"),
        };
      },
    });
    expect(await trailersOf(port, {}, Buffer.concat(framed(Buffer.from("x"))))).toMatchObject({ "grpc-status": "13" });
    await waitFor(() => refusals.length > 0, "a report");
    expect(refusals).toEqual(["the handler failed: fault"]);
  });
});

describe("a hostile connection does not disturb the others", () => {
  let target: TestListener;
  let healthy: ClientHttp2Stream;

  beforeEach(async () => {
    target = await start({ limits: { idleMs: 300, keepaliveMs: 100, keepaliveTimeoutMs: 200, connectionGraceMs: 50 } });
    healthy = request(session(target.port));
    await healthyEcho(healthy);
  });

  it.each([
    ["a frame longer than allowed", [rawFrame(frameType.data, 0, 1, new Uint8Array(20_000))]],
    ["data on a stream that is not open", [rawFrame(frameType.data, 0, 7, new Uint8Array(10))]],
    ["settings of the wrong length", [rawFrame(frameType.settings, 0, 0, new Uint8Array(5))]],
    ["malformed HPACK", [rawFrame(frameType.headers, 4, 1, Buffer.from("ffffffffffffffff", "hex"))]],
    ["a window of zero", [callFrame(1), rawFrame(frameType.windowUpdate, 0, 0, new Uint8Array(4))]],
    ["a ping flood", Array.from({ length: 20_000 }, () => rawFrame(frameType.ping, 0, 0, new Uint8Array(8)))],
    [
      "rapid reset",
      Array.from({ length: 5_000 }, (_, index) =>
        Buffer.concat([callFrame(index * 2 + 1), rawFrame(frameType.reset, 0, index * 2 + 1, Buffer.of(0, 0, 0, 8))]),
      ),
    ],
    ["a frame that never ends", [rawFrame(frameType.headers, 4, 1, new Uint8Array(3), 1000)]],
    ["half-open streams and no answer to pings", [callFrame(1), callFrame(3)]],
  ])("with %s, and is closed", async (_name, frames) => {
    const client = await raw(target.port, preface, settings, ...frames);
    await waitFor(client.closed, "closed", 10_000);
    expect(await healthyEcho(healthy)).toBeLessThan(2_000);
    await waitFor(() => target.listener.status().sockets === 1, "only the healthy socket is left");
    expect(target.listener.status()).toEqual({ sockets: 1, connections: 1, streams: 1 });
  });

  it("with too many or too large headers", async () => {
    const client = session(target.port);
    const many = Object.fromEntries(Array.from({ length: 1000 }, (_, index) => [`x-${index}`, "y"]));
    const resets: number[] = [];
    for (const headers of [many, { "x-large": "y".repeat(60_000), "x-larger": "y".repeat(20_000) }]) {
      const stream = request(client, headers);
      stream.on("close", () => resets.push(stream.rstCode));
    }
    await waitFor(() => resets.length === 2, "both reset");
    expect(resets.every((code) => code !== 0)).toBe(true);
    expect(await healthyEcho(healthy)).toBeLessThan(2_000);
  });

  it.skipIf(process.platform !== "linux")(
    "with malformed HPACK on 300 connections: no file descriptor is left behind",
    async () => {
      const descriptors = (): number => readdirSync("/proc/self/fd").length;
      const before = descriptors();
      const bad = Buffer.concat([
        preface,
        settings,
        rawFrame(frameType.headers, 4, 1, Buffer.from("ffffffffffff", "hex")),
      ]);
      for (let round = 0; round < 6; round += 1) {
        const clients = await Promise.all(Array.from({ length: 50 }, () => rawClient(target.port, bad)));
        await waitFor(() => clients.every((client) => client.received().length > 0), "answers");
        for (const { socket } of clients) socket.destroy();
      }
      await waitFor(() => target.listener.status().sockets === 1, "only the healthy socket is left");
      await waitFor(() => descriptors() <= before + 5, "descriptors as before");
      expect(await healthyEcho(healthy)).toBeLessThan(2_000);
    },
  );
});

describe("limits of a listener", () => {
  it("closes connections over the limit, and takes new ones when others have gone", async () => {
    const { port, refusals, listener } = await start({ limits: { connections: 2 } });
    const first = session(port);
    await healthyEcho(request(first));
    await healthyEcho(request(session(port)));
    const third = await raw(port);
    await waitFor(third.closed, "the third closed");
    expect(refusals).toEqual(["too many connections"]);
    first.destroy();
    await waitFor(() => listener.status().sockets === 1, "the first gone");
    await healthyEcho(request(session(port)));
  });

  it("keeps a quiet client that answers pings", async () => {
    const { port, listener, refusals } = await start({ limits: { keepaliveMs: 20, keepaliveTimeoutMs: 200 } });
    const client = session(port);
    const stream = request(client);
    await healthyEcho(stream);
    let pings = 0;
    client.on("ping", () => (pings += 1));
    await waitFor(() => pings > 20, "twenty pings");
    expect(listener.status().streams).toBe(1);
    expect(refusals).toEqual([]);
  });

  it("sends a connection away at its age, with UNAVAILABLE", async () => {
    const { port, listener } = await start({ limits: { connectionAgeMs: 100, connectionGraceMs: 100 } });
    const client = session(port);
    let goaway = false;
    let status: unknown;
    client.on("goaway", () => (goaway = true));
    const stream = request(client);
    stream.on("trailers", (trailers: IncomingHttpHeaders) => (status = trailers["grpc-status"]));
    await healthyEcho(stream);
    await waitFor(() => goaway && status === "14", "GOAWAY and UNAVAILABLE");
    await waitFor(() => listener.status().sockets === 0, "the socket gone");
  });
});

describe("a client that never reads", () => {
  it("is dropped, costs one shared message, and slows nobody", async () => {
    const large = framed(new Uint8Array(30_000_000));
    let done = 0;
    let closed = 0;
    const started = await start({
      limits: { stuckMs: 1_500 },
      accept: (call) => ({
        message(bytes) {
          call.write(bytes.length === 4 ? framed(bytes) : large, () => (done += 1));
        },
        closed: () => (closed += 1),
      }),
    });
    const healthy = request(session(started.port));
    await healthyEcho(healthy);
    done = 0;
    const before = process.memoryUsage().arrayBuffers;
    const stuck = session(started.port);
    for (let index = 0; index < 20; index += 1) {
      const stream = request(stuck);
      stream.pause();
      stream.write(Buffer.concat(framed(Buffer.from("large"))));
    }
    await waitFor(() => started.listener.status().streams === 21, "all open");
    await healthyEcho(healthy);
    expect(closed).toBe(0);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(30_000_000);
    await waitFor(() => closed === 20, "all stuck streams dropped");
    expect(started.refusals).toEqual(Array.from({ length: 20 }, () => "a message made no progress for too long"));
    expect(started.listener.status().streams).toBe(1);
    await healthyEcho(healthy);
    await waitFor(() => done === 22, "every write finished once");
  });

  it("but one that reads slowly gets all of a large message", async () => {
    const size = 3_000_000;
    const large = framed(new Uint8Array(size));
    const { port, refusals } = await start({
      limits: { stuckMs: 400, keepaliveMs: 200, keepaliveTimeoutMs: 200 },
      accept: (call) => ({
        message: () => {
          call.write(large, () => {});
        },
        closed() {},
      }),
    });
    const stream = request(session(port));
    let bytes = 0;
    stream.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
      stream.pause();
      setTimeout(() => stream.resume(), 8);
    });
    stream.write(Buffer.concat(framed(Buffer.from("x"))));
    await waitFor(() => bytes === size + 5, "the whole message", 60_000);
    expect(refusals).toEqual([]);
  }, 75_000);
});
