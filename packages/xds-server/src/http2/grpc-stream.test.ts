import type { ServerHttp2Stream } from "node:http2";
import { PassThrough } from "node:stream";
import { setImmediate as nextTurn } from "node:timers/promises";
import { LoopTurn } from "@signalbox/slices";
import { expect, it } from "vitest";
import { framed } from "../testing/echo-listener.ts";
import { waitFor } from "../testing/wait.ts";
import { Turns, turnMs } from "../turns.ts";
import { GrpcStream } from "./grpc-stream.ts";

it("rests where a turn is spent in the midst of a message, and reads on in the next one", async () => {
  let now = 0;
  const received: number[] = [];
  const body = new PassThrough();
  // As far as it reads, an HTTP/2 stream is any stream.
  const http = body as unknown as ServerHttp2Stream;
  const budget = { held: 0, max: 1_000_000 };
  const stream = new GrpcStream(
    http,
    { ":path": "/test" },
    {
      peer: { address: "127.0.0.1", identities: [] },
      receiveBytes: 1_000_000,
      partial: budget,
      waiting: { held: 0, max: 1_000_000 },
      accept: () => ({
        message(bytes) {
          received.push(bytes.length);
          now += turnMs;
        },
        closed: () => {},
      }),
      turns: new Turns(() => now, turnMs, new LoopTurn(() => 0)),
      now: () => now,
      ended: () => {},
      refused: () => {},
    },
  );
  const bytes = Buffer.concat([...framed(Buffer.alloc(1)), ...framed(Buffer.alloc(60_000))]);
  body.write(bytes.subarray(0, 30_000));
  await waitFor(() => received.length === 1, "the first message");
  expect(body.isPaused()).toBe(true);
  expect(budget.held).toBeGreaterThan(0);

  body.write(bytes.subarray(30_000));
  await nextTurn();
  await waitFor(() => received.length === 2, "the second one");
  expect(received).toEqual([1, 60_000]);
  expect(budget.held).toBe(0);
  expect(stream.stalledSince).toBeUndefined();
});
