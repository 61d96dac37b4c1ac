export { systemClock } from "./clock.ts";
export { ConfigError, formatPath } from "./config-error.ts";
export { noMetrics, silentLogger } from "./observability.ts";
export type { Clock } from "./clock.ts";
export type { ConfigFault } from "./config-error.ts";
export type { Logger, Metrics } from "./observability.ts";
export type { Problem, Registry, RegistryDeps, RegistryModule, RegistrySink, RegistryUpdate } from "./registry.ts";
