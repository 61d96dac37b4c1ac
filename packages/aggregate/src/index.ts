export { createAggregate } from "./aggregate.ts";
export { AggregateRunningError, DuplicateRegistryError, UnknownRegistryError } from "./controller.ts";
export { NoRampError } from "./ramp-status.ts";
export { selectWorkloads } from "./select-workloads.ts";
export { RegistryEndedError } from "./supervision.ts";
export type { ArchivedShard, RestoreOptions, ShardArchive } from "./archive.ts";
export type { ServiceEndpoint } from "./catalog-index.ts";
export type { AggregateController } from "./controller.ts";
export type { Decisions } from "./decisions.ts";
export type { FreshnessOptions, SourceState } from "./freshness.ts";
export type { HandlerEvent, InstanceHandler, ServiceHandler } from "./handlers.ts";
export type { AggregateInput } from "./input.ts";
export type {
  AddRegistryOptions,
  AggregateOptions,
  CatalogRules,
  DebounceOptions,
  MergePolicy,
  Publication,
  RestartOptions,
  StartPolicy,
  WithdrawalRule,
} from "./options.ts";
export type { RampChange, RampStatus, SavedRamp } from "./ramp-status.ts";
export type { RegistryStatus } from "./supervision.ts";
export type { WithdrawalShare, WithdrawalStop } from "./withdrawal-brake.ts";
export type { HeldWithdrawal, WithdrawalsStatus } from "./withdrawals.ts";
