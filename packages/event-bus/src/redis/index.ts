export { RedisError } from "./connection.ts";
export { RedisOptionsError } from "./options.ts";
export { createRedisBus, createRedisEngine } from "./redis-bus.ts";
export type { Current, RedisBusOptions, RedisTls } from "./options.ts";
