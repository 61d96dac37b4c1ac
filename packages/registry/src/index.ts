export { backoff } from "./backoff.ts";
export { checkedSink, checkedSteps } from "./checked-sink.ts";
export { systemClock } from "./clock.ts";
export { ConfigError, formatPath } from "./config-error.ts";
export { pollLoop, watchLoop } from "./loops.ts";
export { noMetrics, silentLogger } from "./observability.ts";
export { isAborted, pause } from "./pause.ts";
export { SourceError } from "./source-error.ts";
export type { Backoff, BackoffOptions } from "./backoff.ts";
export type { CheckedSinkOptions, LastGood, SteppedSink } from "./checked-sink.ts";
export type { Clock } from "./clock.ts";
export type { ConfigFault } from "./config-error.ts";
export type { LoopOptions, PollLoopOptions, WatchLoopOptions } from "./loops.ts";
export type { Logger, Metrics } from "./observability.ts";
export type {
  Baseline,
  Problem,
  Registry,
  RegistryDeps,
  RegistryModule,
  RegistrySink,
  RegistryUpdate,
  ShardContent,
  WithdrawalResult,
} from "./registry.ts";
export type { SourceErrorOptions } from "./source-error.ts";
