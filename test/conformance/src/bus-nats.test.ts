import { randomUUID } from "node:crypto";
import { connect as connectNats } from "@nats-io/transport-node";
import { describeEventBus } from "@signalbox/event-bus/conformance";
import { createNatsBus } from "@signalbox/event-bus/nats";
import type { LogBus } from "@signalbox/event-bus";
import { startNats } from "@signalbox/test-servers";
import type { RunningNats } from "@signalbox/test-servers";
import { jetstreamManager } from "@nats-io/jetstream";
import { afterAll, beforeAll } from "vitest";

let nats: RunningNats | undefined;

beforeAll(async () => {
  nats = await startNats();
});

afterAll(async () => {
  await nats?.stop();
});

function started(): RunningNats {
  if (nats === undefined) throw new TypeError("no NATS was started");
  return nats;
}

describeEventBus({
  name: "over NATS JetStream",
  create: () => {
    const catalog = randomUUID();
    const opened: LogBus[] = [];
    const open = (): LogBus => {
      const bus = createNatsBus({ catalog, servers: [started().url] });
      opened.push(bus);
      return bus;
    };
    return Promise.resolve({
      bus: open(),
      another: () => Promise.resolve(open()),
      depose: async () => {
        const connection = await connectNats({ servers: started().url });
        const manager = await jetstreamManager(connection);
        await manager.streams.purge(`SIGNALBOX_${catalog}_LEASE`);
        await connection.close();
      },
      subscriptions: () => opened.reduce((sum, bus) => sum + bus.status().consumers.length, 0),
    });
  },
  histories: 20,
});
