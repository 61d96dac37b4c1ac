import { createRedisBus } from "@signalbox/event-bus/redis";
import { startRedis } from "@signalbox/test-servers";
import type { EngineUnderTest } from "./engine-under-test.ts";

const name = "faults";

/** Starts a Redis that stores every write before it answers. */
export async function startRedisUnderTest(): Promise<EngineUnderTest> {
  const redis = await startRedis({ own: true });
  const logKey = async (): Promise<string> => {
    const head = await redis.command("XREVRANGE", `{signalbox:${name}}:head`, "+", "-", "COUNT", "1");
    // Without a head, a key that is not there.
    return `{signalbox:${name}}:log:${head.split("\r\n").at(-1) ?? ""}`;
  };
  return {
    name: "Redis",
    port: Number(new URL(redis.url).port),
    kill: () => redis.kill(),
    restart: () => redis.restart(),
    freeze: () => redis.freeze(),
    thaw: () => redis.thaw(),
    wipe: () => redis.restartEmpty(),
    deleteLog: async () => {
      await redis.command("DEL", await logKey());
    },
    truncateLog: async () => {
      await redis.command("XTRIM", await logKey(), "MAXLEN", "1");
    },
    open: ({ clock, lease, limits, logger, port }) => createRedisBus({ name, port, clock, lease, limits, logger }),
    stop: () => redis.stop(),
  };
}
