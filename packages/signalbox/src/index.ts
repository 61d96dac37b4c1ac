/**
 * Signalbox as a library: registries in, one catalog, xDS out, in one process.
 * @module
 */
export { parseConfig } from "./config/check.ts";
export { configJsonSchema } from "./config/json-schema.ts";
export { ConfigFileError, loadConfig } from "./config/load.ts";
export { createSignalbox } from "./signalbox.ts";
export { ConfigError } from "@signalbox/registry";
export type { LoadedConfig, PlacedFault } from "./config/load.ts";
export type { PlannedRegistry } from "./config/registries.ts";
export type { SignalboxConfig, SignalboxConfigInput } from "./config/schema.ts";
export type { Listening } from "./run-parts.ts";
export type { ReloadReport, Signalbox, SignalboxOptions } from "./signalbox.ts";
export type { InstanceHandler, RegistryStatus, ServiceEndpoint, ServiceHandler } from "@signalbox/aggregate";
export type { Clock, Logger, Registry, RegistryModule } from "@signalbox/registry";
export type { ClientStatus } from "@signalbox/xds-server";
