import { create, toBinary } from "@bufbuild/protobuf";
import { typeUrls } from "@signalbox/envoy-api";
import { DeltaDiscoveryRequestSchema } from "@signalbox/envoy-api/envoy/service/discovery/v3/discovery";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { afterEach, describe, expect, it } from "vitest";
import { resourceOf } from "./resource.ts";
import { createXdsServer } from "./server.ts";
import { SnapshotCache } from "./snapshot-cache.ts";
import { deltaAds } from "./testing/fake-stream.ts";
import { callFrame, frameType, preface, rawClient, rawFrame, type RawClient } from "./testing/raw-client.ts";
import { waitFor } from "./testing/wait.ts";

const mebibyte = 1024 * 1024;
const { cluster: CDS } = typeUrls;
const ends: (() => Promise<void> | void)[] = [];

afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

/** Bytes that are alive now: objects, and what buffers hold. */
function live(): number {
  collect();
  collect();
  const { external, heapUsed } = process.memoryUsage();
  return heapUsed + external;
}

/** What a client sends that asks for all clusters, as HTTP/2 frames. */
function subscription(): Buffer {
  const node = { id: "web-1", cluster: "web" };
  const message = toBinary(
    DeltaDiscoveryRequestSchema,
    create(DeltaDiscoveryRequestSchema, { node, typeUrl: CDS, resourceNamesSubscribe: ["*"] }),
  );
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([
    preface,
    rawFrame(frameType.settings, 0, 0, new Uint8Array()),
    callFrame(1, deltaAds),
    rawFrame(frameType.data, 0, 1, Buffer.concat([head, message])),
  ]);
}

async function serve(count: number, bytes: number) {
  const cache = new SnapshotCache({ groupOf: (node) => node.cluster });
  const push = (content: number): void => {
    const resources = Array.from({ length: count }, (_, at) =>
      resourceOf(`cluster-${at}`, Buffer.alloc(bytes, content)),
    );
    cache.setSnapshot("web", new Map([[CDS, resources]]));
  };
  push(1);
  const server = createXdsServer({ source: cache, plaintext: { port: 0 } });
  ends.push(() => server.close());
  const { plaintext } = await server.listen();
  const come = async (): Promise<RawClient> => {
    const client = await rawClient(plaintext?.port ?? 0, subscription());
    // It takes what HTTP/2 sends without being asked for more, and never asks.
    client.socket.pause();
    ends.push(() => void client.socket.destroy());
    return client;
  };
  const streams = (clients: number) =>
    waitFor(
      () => {
        const { clients: all } = server.status();
        return all.length === clients && all.every(({ subscriptions }) => subscriptions.length > 0);
      },
      `${clients} clients that subscribe`,
      30_000,
    );
  return { come, push, streams };
}

describe("the memory of a server", () => {
  it("holds pushes of 30 MB at most three times, however many clients do not read and whatever comes after it", async () => {
    const { come, push, streams } = await serve(300, 100_000);
    const before = live();
    for (let client = 0; client < 12; client++) await come();
    await streams(12);
    for (let content = 2; content < 10; content++) {
      push(content);
      // What goes to many streams is looked at in later turns of the loop.
      for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
    }
    // The content is there already: what clients hold on to, and what was encoded last for whoever asks next.
    expect(live() - before).toBeLessThan(2 * 30 * mebibyte + 10 * mebibyte);
  }, 60_000);

  it("is what it was when a thousand clients came at once, went, came again and went", async () => {
    const { come, streams } = await serve(100, 1_000);
    const round = async (): Promise<void> => {
      const clients = await Promise.all(Array.from({ length: 1_000 }, come));
      await streams(1_000);
      for (const { socket } of clients) socket.destroy();
      ends.splice(1);
      await streams(0);
    };
    // The first ones also pay for what is made once.
    await round();
    const before = live();
    await round();
    await round();
    expect(live() - before).toBeLessThan(3 * mebibyte);
  }, 120_000);
});
