import { randomUUID } from "node:crypto";
import { describeEventBus } from "@signalbox/event-bus/conformance";
import { createNatsBus } from "@signalbox/event-bus/nats";
import type { LogBus } from "@signalbox/event-bus";
import { startNats } from "@signalbox/test-servers";
import type { RunningNats } from "@signalbox/test-servers";
import { afterAll, beforeAll } from "vitest";
import { administer } from "./nats-admin.ts";

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
        await administer({ servers: started().url }, (manager) => manager.streams.purge(`SIGNALBOX_${catalog}_LEASE`));
      },
      dispose: async () => {
        // The server may be one that others use too.
        await administer({ servers: started().url }, async (manager) => {
          const names: string[] = [];
          for await (const name of manager.streams.names()) names.push(name);
          for (const name of names) if (name.startsWith(`SIGNALBOX_${catalog}_`)) await manager.streams.delete(name);
        });
      },
      subscriptions: () => opened.reduce((sum, bus) => sum + bus.status().consumers.length, 0),
    });
  },
  histories: 20,
});
