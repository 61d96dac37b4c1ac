import { monotonicClock } from "../clock.ts";
import type { LogEngine } from "../log/engine.ts";
import { createLogBus } from "../log/log-bus.ts";
import type { LogBus } from "../log/log-bus.ts";
import { RedisOptionsError, redisTarget } from "./options.ts";
import type { RedisBusOptions } from "./options.ts";
import { RedisEngine } from "./redis-engine.ts";

/** Frames of a few bytes would be mostly overhead. */
const leastFrameBytes = 64;
const defaults = { callMs: 2000, maxFrameBytes: 256 * 1024 } as const;

/**
 * Makes a bus over a Redis server, 6.2 or newer. Connections are opened when something needs them, so the server may be down
 * meanwhile. Throws a RedisOptionsError.
 */
export function createRedisBus(options: RedisBusOptions): LogBus {
  return createLogBus(createRedisEngine(options), options);
}

/** Makes the engine alone, which is what a bus over Redis stands on. Throws a RedisOptionsError. */
export function createRedisEngine(options: RedisBusOptions): LogEngine {
  const { callMs, clock, maxFrameBytes } = { ...defaults, clock: monotonicClock, ...options };
  if (!(callMs > 0)) throw new RedisOptionsError("callMs is more than 0");
  if (!Number.isInteger(maxFrameBytes) || maxFrameBytes < leastFrameBytes)
    throw new RedisOptionsError(`maxFrameBytes is a whole number of at least ${leastFrameBytes}`);
  return new RedisEngine({ target: redisTarget(options), name: options.name, clock, callMs, maxFrameBytes });
}
