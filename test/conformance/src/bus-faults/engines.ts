import type { EngineUnderTest } from "./engine-under-test.ts";
import { startNatsUnderTest } from "./nats-under-test.ts";
import { startRedisUnderTest } from "./redis-under-test.ts";

/** The engines that fault sequences are played on. */
export const faultEngines: Readonly<Record<string, () => Promise<EngineUnderTest>>> = {
  nats: startNatsUnderTest,
  redis: startRedisUnderTest,
};
