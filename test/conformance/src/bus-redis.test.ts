import { randomUUID } from "node:crypto";
import { describeEventBus } from "@signalbox/event-bus/conformance";
import { createRedisBus } from "@signalbox/event-bus/redis";
import type { LogBus } from "@signalbox/event-bus";
import { startRedis } from "@signalbox/test-servers";
import type { RunningRedis } from "@signalbox/test-servers";
import { afterAll, beforeAll } from "vitest";

let redis: RunningRedis;

beforeAll(async () => {
  redis = await startRedis();
});

afterAll(() => redis.stop());

describeEventBus({
  name: "over Redis",
  create: () => {
    const name = randomUUID();
    const opened: LogBus[] = [];
    const open = (): LogBus => {
      const bus = createRedisBus({ name, url: redis.url });
      opened.push(bus);
      return bus;
    };
    return Promise.resolve({
      bus: open(),
      another: () => Promise.resolve(open()),
      depose: async () => {
        await redis.command("DEL", `{signalbox:${name}}:lease`);
      },
      subscriptions: () => opened.reduce((sum, bus) => sum + bus.status().consumers.length, 0),
    });
  },
  histories: 20,
});
