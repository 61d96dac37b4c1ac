import { connect as connectHttp2 } from "node:http2";
import type { ClientHttp2Session, ClientHttp2Stream, IncomingHttpHeaders } from "node:http2";
import { afterEach, describe, expect, it } from "vitest";
import { framed, startListener } from "../testing/echo-listener.ts";
import { rawClient } from "../testing/raw-client.ts";
import { waitFor } from "../testing/wait.ts";
import { defaultTransportLimits } from "./limits.ts";
import { GrpcListener } from "./listener.ts";

const sessions: ClientHttp2Session[] = [];

afterEach(() => {
  for (const session of sessions.splice(0)) session.destroy();
});

interface TestStream {
  readonly stream: ClientHttp2Stream;
  readonly session: ClientHttp2Session;
  bytes: number;
  status?: string;
  endedAt?: number;
}

function open(port: number): TestStream {
  const session = connectHttp2(`http://127.0.0.1:${port}`);
  sessions.push(session);
  const ignore = (): void => {
    // The tests look at what arrived.
  };
  session.on("error", ignore);
  const stream = session.request({
    ":method": "POST",
    ":path": "/test.Echo/Stream",
    "content-type": "application/grpc",
  });
  const opened: TestStream = { stream, session, bytes: 0 };
  stream.on("error", ignore);
  stream.on("data", (chunk: Buffer) => (opened.bytes += chunk.length));
  const ended = (headers: IncomingHttpHeaders): void => {
    if (headers["grpc-status"] === undefined) return;
    opened.status = String(headers["grpc-status"]);
    opened.endedAt = performance.now();
    stream.end();
  };
  stream.on("trailers", ended);
  stream.on("response", ended);
  stream.write(Buffer.concat(framed(Buffer.from("hello"))));
  return opened;
}

describe("drain", () => {
  it("ends streams spread over the time with UNAVAILABLE, then resolves with no socket left", async () => {
    const { listener, port } = await startListener();
    const streams = Array.from({ length: 10 }, () => open(port));
    await waitFor(() => streams.every(({ bytes }) => bytes > 0), "ten echoes");
    await listener.drain(300);
    expect(listener.status()).toEqual({ sockets: 0, connections: 0, streams: 0 });
    await waitFor(() => streams.every(({ status }) => status === "14"), "ten times UNAVAILABLE");
    const times = streams.map(({ endedAt }) => endedAt ?? 0);
    expect(Math.max(...times) - Math.min(...times)).toBeGreaterThan(100);
  });

  it.each(["a later close", "the signal"])("ends the rest at once after %s", async (how) => {
    const { listener, port } = await startListener();
    const streams = Array.from({ length: 4 }, () => open(port));
    await waitFor(() => streams.every(({ bytes }) => bytes > 0), "four echoes");
    const stop = new AbortController();
    const startedAt = performance.now();
    const drained = listener.drain(600_000, stop.signal);
    if (how === "the signal") stop.abort();
    else expect(listener.close()).toBe(drained);
    await drained;
    expect(performance.now() - startedAt).toBeLessThan(30_000);
    await waitFor(() => streams.every(({ status }) => status === "14"), "four times UNAVAILABLE");
  });

  it("is not made longer by a later call", async () => {
    const { listener, port } = await startListener();
    const client = open(port);
    await waitFor(() => client.bytes > 0, "the echo");
    void listener.drain(0);
    await listener.drain(600_000, AbortSignal.abort());
    await waitFor(() => client.status === "14", "UNAVAILABLE");
  });

  it("closes a port that is still being opened", async () => {
    const listener = new GrpcListener({
      accept: () => undefined,
      limits: defaultTransportLimits,
      onRefused: () => {
        // Nobody comes.
      },
    });
    const opening = listener.listen(0, "127.0.0.1");
    await Promise.all([listener.close(), expect(opening).rejects.toThrow("closed")]);
    await expect(listener.listen(0, "127.0.0.1")).rejects.toThrow("closed");
  });

  it("lets a message that is on its way arrive before the stream ends", async () => {
    const size = 2_000_000;
    const { listener, port } = await startListener({
      limits: { connectionGraceMs: 5_000 },
      accept: (call) => ({
        message: () => {
          call.write(framed(new Uint8Array(size)), () => {});
        },
        closed() {},
      }),
    });
    const client = open(port);
    client.stream.pause();
    await waitFor(() => listener.status().streams === 1, "the stream");
    await new Promise((resolve) => client.session.ping(resolve));
    const drained = listener.drain(0);
    client.stream.resume();
    await drained;
    await waitFor(() => client.status, "a status");
    expect(client).toMatchObject({ bytes: size + 5, status: "14" });
  });

  it("destroys clients that stay, silent ones too, when the grace is over", async () => {
    const { listener, port } = await startListener({
      limits: { connectionGraceMs: 100 },
      accept: (call) => ({
        message: () => {
          call.write(framed(new Uint8Array(1_000_000)), () => {});
        },
        closed() {},
      }),
    });
    const silent = await rawClient(port);
    const stuck = open(port);
    stuck.stream.pause();
    await waitFor(() => listener.status().streams === 1, "the stream");
    await listener.close();
    expect(listener.status().sockets).toBe(0);
    await waitFor(silent.closed, "the silent client closed");
  });

  it("takes no new connection, and a second call gets the same end", async () => {
    const { listener, port } = await startListener();
    const first = listener.drain(50);
    expect(listener.close()).toBe(first);
    await first;
    await expect(rawClient(port)).rejects.toMatchObject({ code: "ECONNREFUSED" });
  });

  it("resolves for a listener that never listened", async () => {
    const { listener } = await startListener();
    await listener.close();
    await listener.close();
    expect(listener.status().sockets).toBe(0);
  });

  it("leaves no timer or server behind", async () => {
    const resources = (): number =>
      process.getActiveResourcesInfo().filter((name) => name === "TCPServerWrap" || name === "TCPSocketWrap").length;
    const before = resources();
    const { listener, port } = await startListener();
    const client = open(port);
    await waitFor(() => client.bytes > 0, "the echo");
    await listener.close();
    client.session.destroy();
    await waitFor(() => resources() <= before, "no more resources than before");
  });
});
