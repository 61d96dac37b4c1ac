export { createDebugServer } from "./server.ts";
export { metricCatalogue } from "./metric-catalogue.ts";
export { createMetrics } from "./metrics.ts";
export type { MetricDefinition } from "./metric-catalogue.ts";
export type { BusEventView, GuardDecisionView, MetricsOptions, SignalboxMetrics, XdsEventView } from "./metrics.ts";
export type { RegistryMetrics } from "./registry-metrics.ts";
export type { ApiRequestView, DebugServerOptions, MetricsText, RestAnswer } from "./options.ts";
export type { DebugAddress, DebugServer, InjectRequest } from "./server.ts";
export type {
  BusView,
  ClientView,
  ConfigDumpRequest,
  DebugSources,
  DecisionsView,
  DriftCountView,
  FindingView,
  GuardView,
  JournalView,
  ReadinessCheck,
  RegistryView,
  RuleView,
  SubscriptionView,
  VersionView,
} from "./sources.ts";
