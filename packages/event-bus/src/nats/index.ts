import { createLogBus } from "../log/log-bus.ts";
import type { LogBus } from "../log/log-bus.ts";
import { NatsEngine } from "./engine.ts";
import type { NatsBusOptions } from "./options.ts";

/**
 * Makes a bus over NATS JetStream. The server may be down: the bus connects when it is used, and again whenever a connection
 * was lost. Throws a NatsOptionsError. Needs the packages `@nats-io/transport-node` and `@nats-io/jetstream`.
 */
export function createNatsBus(options: NatsBusOptions): LogBus {
  return createLogBus(new NatsEngine(options), options);
}

export { NatsOptionsError } from "./options.ts";
export type { NatsAuth, NatsBusOptions, NatsTls, Secret } from "./options.ts";
