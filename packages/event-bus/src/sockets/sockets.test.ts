import { mkdtemp, rm } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { SuiteConsumer, SuiteWriter } from "../conformance/actors.ts";
import { comparable, contentOf, upsert } from "../conformance/content.ts";
import { describeEventBus } from "../conformance/index.ts";
import { createInProcessBus } from "../in-process-bus.ts";
import { createSocketBus } from "./client.ts";
import type { SocketBus } from "./client.ts";
import { createSocketBusServer } from "./server.ts";

describeEventBus({
  name: "over sockets",
  create: async () => {
    const folder = await mkdtemp(join(tmpdir(), "signalbox-bus-"));
    const path = join(folder, "bus");
    const inner = createInProcessBus();
    const server = createSocketBusServer(inner, path);
    await server.listen();
    const opened: SocketBus[] = [];
    return {
      bus: inner,
      // Writers are in one process; consumers are elsewhere.
      another: () => {
        const bus = createSocketBus(path);
        opened.push(bus);
        return Promise.resolve({ ...bothEnds(bus), lead: inner.lead.bind(inner) });
      },
      subscriptions: () => opened.reduce((sum, bus) => sum + bus.status().consumers.length, 0),
      dispose: async () => {
        await server.close();
        await inner.close();
        await rm(folder, { recursive: true });
      },
    };
  },
  histories: 20,
});

function bothEnds(bus: SocketBus): Pick<SocketBus, "close" | "subscribe"> {
  return { close: () => bus.close(), subscribe: (consumer, signal) => bus.subscribe(consumer, signal) };
}

describe("a bus over sockets", () => {
  const deadline = () => AbortSignal.timeout(10_000);
  let folder: string;
  let path: string;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "signalbox-bus-"));
    path = join(folder, "bus");
  });

  afterEach(() => rm(folder, { recursive: true }));

  it("keeps the catalog while the other process is away, and follows it again", async () => {
    const inner = createInProcessBus();
    const writer = await SuiteWriter.lead(inner, contentOf("a"), deadline());
    const server = createSocketBusServer(inner, path);
    await server.listen();
    const bus = createSocketBus(path);
    const consumer = new SuiteConsumer(bus, "one");
    await consumer.reach(writer.revision, deadline());
    await server.close();
    await writer.publish(upsert("b", 1));
    expect(bus.status().revision).toEqual({ epoch: writer.epoch, sequence: 0 });
    const again = createSocketBusServer(inner, path);
    await again.listen();
    expect(comparable(await consumer.reach(writer.revision, deadline()))).toEqual(comparable(writer.catalog()));
    await bus.close();
    await again.close();
    await inner.close();
  });

  it("lets a reader that does not read cost one event, whatever is published meanwhile", async () => {
    const inner = createInProcessBus();
    const writer = await SuiteWriter.lead(inner, contentOf("a"), deadline());
    const server = createSocketBusServer(inner, path);
    await server.listen();
    const stuck = connect(path);
    await new Promise((resolve) => stuck.once("connect", resolve));
    stuck.pause();
    // Far more than what the system buffers for a socket.
    for (let generation = 1; generation <= 20_000; generation++) {
      await writer.publish(upsert("a", generation));
      if (generation % 100 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    expect(inner.status().consumers).toEqual([{ name: "worker", pending: 1 }]);
    stuck.destroy();
    await server.close();
    await inner.close();
  });

  it("does not lead", async () => {
    const bus = createSocketBus(path);
    await expect(bus.lead(() => contentOf(), new AbortController().signal)).rejects.toMatchObject({
      code: "SBX_BUS_CLOSED",
    });
    await bus.close();
  });
});
