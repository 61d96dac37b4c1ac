import { randomUUID } from "node:crypto";
import { createRedisBus } from "@signalbox/event-bus/redis";
import { startRedis } from "@signalbox/test-servers";
import type { RunningRedis } from "@signalbox/test-servers";
import { afterAll, beforeAll, expect, it } from "vitest";
import { Discovery, entryOf, Follower } from "./bus-parties.ts";

let redis: RunningRedis;

beforeAll(async () => {
  redis = await startRedis({ own: true });
});

afterAll(() => redis.stop());

it("brings 20,000 services of 0.3 to 30 kB to a fresh publisher, exactly, while they change", async () => {
  // Most are small: half below 1 kB, one in a hundred close to 30 kB.
  const sizeOf = (index: number): number => Math.round(29_000 * ((index * 7919) % 1000) ** 6 * 1e-18);
  const entries = Array.from({ length: 20_000 }, (_, index) => entryOf(`service-${index}`, 0, sizeOf(index)));
  const name = randomUUID();
  const writer = new Discovery(createRedisBus({ name, url: redis.url }), entries);
  const reader = new Follower(createRedisBus({ name, url: redis.url }));
  try {
    await writer.lead();
    for (let generation = 1; reader.catalog === undefined && generation < 20_000; generation++)
      await writer.say(entryOf(`service-${generation}`, generation));
    await writer.say(entryOf("service-0", 9999));
    await reader.agrees(writer, 30_000);
    expect(reader.sizes).toEqual([20_000]);
  } finally {
    await reader.close();
    await writer.close();
  }
});
