import { monotonicClock } from "../clock.ts";
import type { LogEngine } from "../log/engine.ts";
import { createLogBus } from "../log/log-bus.ts";
import type { LogBus } from "../log/log-bus.ts";
import { redisTarget } from "./options.ts";
import type { RedisBusOptions } from "./options.ts";
import { RedisEngine } from "./redis-engine.ts";

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
  return new RedisEngine({ target: redisTarget(options), name: options.name, clock, callMs, maxFrameBytes });
}
