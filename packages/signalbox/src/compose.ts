import { createAggregate, type AggregateController } from "@signalbox/aggregate";
import { createDebugServer, createMetrics, type DebugSources } from "@signalbox/debug";
import { createInProcessBus } from "@signalbox/event-bus";
import { silentLogger, systemClock, type Clock, type Logger, type Registry } from "@signalbox/registry";
import { createXdsPublisher } from "@signalbox/xds";
import { createRestDiscovery, createXdsServer, type ClientStatus } from "@signalbox/xds-server";
import { pathOf, type SignalboxConfig } from "./config/schema.ts";
import type { PlannedRegistry } from "./config/registries.ts";
