import type { Catalog, CatalogDelta, Revision } from "@signalbox/model";
import { AggregatorRegistry, collectDefaultMetrics } from "prom-client";
import { CatalogMetrics } from "./catalog-metrics.ts";
import { DecisionMetrics } from "./decision-metrics.ts";
import type { GuardDecisionView } from "./decision-metrics.ts";
import { Instruments } from "./instruments.ts";
import type { MetricsText } from "./options.ts";
import { RegistryMetricsFactory } from "./registry-metrics.ts";
import type { RegistryMetrics } from "./registry-metrics.ts";
import { shortType } from "./resource-type.ts";
import type { DebugSources, JournalView, RuleView } from "./sources.ts";
import { XdsMetrics } from "./xds-metrics.ts";
import type { XdsEventView } from "./xds-metrics.ts";

export type { GuardDecisionView, XdsEventView };

/** What happened to the catalog. `ChangeEvent` of `@signalbox/event-bus` has this shape. */
export type BusEventView =
  | { readonly type: "snapshot"; readonly catalog: Catalog }
  | { readonly type: "delta"; readonly revision: Revision; readonly delta: CatalogDelta };

/** Options of `createMetrics`. */
export interface MetricsOptions {
  /** Read at each scrape. */
  readonly sources: Pick<
    DebugSources,
    "version" | "registries" | "bus" | "decisions" | "journal" | "clients" | "rules"
  >;
  /** Epoch milliseconds; the machine's clock by default. */
  readonly now?: () => number;
  /** Whether `process_*` and `nodejs_*` are collected, which costs a timer for the event loop's delay. On by default. */
  readonly processMetrics?: boolean;
  /**
   * What other processes that serve clients of the same catalog say of theirs: the result of `json` of each. What they count about
   * clients is added up at each scrape.
   */
  readonly others?: () => readonly (readonly object[])[];
}

/** Between two looks at how late the event loop is. Each look wakes an idle process: every 10 ms they are a third of a percent of a core. */
const loopSampleMs = 50;

/** All metrics of one process. The composition root hands its methods to the stages. No call throws. */
export interface SignalboxMetrics extends MetricsText {
  /** For `onEvent` of the xDS server. */
  xdsEvent(event: XdsEventView): void;
  /** For each event of a subscription to the bus, snapshots too. One at a time: wait for it before the next one. */
  busEvent(event: BusEventView): Promise<void>;
  /** Seconds from the first gathered change to the publication of all of them. */
  debounced(seconds: number): void;
  /** Seconds that the translation of one change took. */
  translated(seconds: number): void;
  /** For each review that the admission webhook answered. */
  admissionReviewed(result: "allowed" | "warned" | "refused" | "malformed"): void;
  /** For each decision of a guard. */
  guardDecided(decision: GuardDecisionView): void;
  /** All that is counted about clients, as JSON data for `others` of another process. */
  json(): Promise<readonly object[]>;
  /** What the registry with this id records with. */
  forRegistry(id: string): RegistryMetrics;
}

/** Makes the metrics of a process. `metricCatalogue` lists them. */
export function createMetrics(options: MetricsOptions): SignalboxMetrics {
  const { others = () => [], sources, now = () => Date.now(), processMetrics = true } = options;
  const instruments = new Instruments();
  if (processMetrics) {
    collectDefaultMetrics({ register: instruments.registry, eventLoopMonitoringPrecision: loopSampleMs });
  }
  const catalog = new CatalogMetrics(instruments, now);
  const xds = new XdsMetrics(instruments, now, () => catalog.lastChange);
  const decided = new DecisionMetrics(instruments, now);
  const registries = new RegistryMetricsFactory(instruments.registry, () =>
    instruments.count("signalbox_metrics_dropped_total"),
  );
  instruments.set("signalbox_build_info", 1, { version: sources.version.version, node_version: process.version });
  return {
    contentType: instruments.registry.contentType,
    text: async () => {
      xds.flush();
      readRegistries(instruments, sources, now());
      instruments.set("signalbox_bus_leading", sources.bus?.().led === true ? 1 : 0);
      // Only here: what nobody asks for costs nothing.
      decided.read(sources.decisions?.());
      readJournal(instruments, sources.journal?.());
      readClients(instruments, sources);
      readRules(instruments, sources.rules?.() ?? []);
      const elsewhere = others();
      if (elsewhere.length === 0) return instruments.registry.metrics();
      const here = await instruments.registry.getMetricsAsJSON();
      return AggregatorRegistry.aggregate([here, ...elsewhere]).metrics();
    },
    json: async () => {
      xds.flush();
      const all = await instruments.registry.getMetricsAsJSON();
      return all.filter(({ name, type }) => isOfClients(name) && String(type) !== "gauge");
    },
    xdsEvent: (event) => xds.event(event),
    busEvent: (event) => catalog.event(event),
    debounced: (seconds) => instruments.observe("pilot_debounce_time", seconds),
    translated: (seconds) => instruments.observe("pilot_pushcontext_init_seconds", seconds),
    admissionReviewed: (result) => instruments.count("signalbox_admission_reviews_total", { result }),
    guardDecided: ({ reason, registry, type }) =>
      instruments.count("signalbox_guard_decisions_total", {
        registry,
        type,
        ...(reason !== undefined && { reason }),
      }),
    forRegistry: (id) => registries.forRegistry(id),
  };
}

/** Whether a metric is about clients: each process counts its own. Gauges about them are read from `clients` of the sources. */
function isOfClients(name: string): boolean {
  return /^(pilot_xds|pilot_total_xds_rejects|pilot_proxy_convergence_time|signalbox_xds_)/.test(name);
}

const ofRegistries = [
  "signalbox_registry_age_seconds",
  "signalbox_registry_problem",
  "signalbox_registry_restarts_total",
  "signalbox_registry_services",
  "signalbox_registry_state",
] as const;

function readRegistries(instruments: Instruments, sources: MetricsOptions["sources"], now: number): void {
  for (const name of ofRegistries) instruments.reset(name);
  for (const { id, state, problem, services, lastCompleteRead, restarts } of sources.registries()) {
    const labels = { registry: id };
    instruments.set("signalbox_registry_state", 1, { ...labels, state: state.toLowerCase() });
    instruments.set("signalbox_registry_services", services, labels);
    if (restarts !== undefined) instruments.count("signalbox_registry_restarts_total", labels, restarts);
    if (problem !== undefined)
      instruments.set("signalbox_registry_problem", 1, { ...labels, problem: problem.toLowerCase() });
    if (lastCompleteRead !== undefined)
      instruments.set("signalbox_registry_age_seconds", Math.max(0, now - lastCompleteRead) / 1000, labels);
  }
}

function readJournal(instruments: Instruments, journal: JournalView | undefined): void {
  instruments.reset("signalbox_journal_lost_total");
  instruments.count("signalbox_journal_lost_total", {}, journal?.lost ?? 0);
  instruments.set("signalbox_journal_sequence", journal?.seq ?? 0);
  instruments.set("signalbox_journal_bytes", journal?.bytes ?? 0);
  instruments.set("signalbox_journal_degraded", journal?.degraded === undefined ? 0 : 1);
}

function readRules(instruments: Instruments, rules: readonly RuleView[]): void {
  instruments.reset("signalbox_rules");
  const counts = new Map<string, { readonly kind: string; readonly accepted: boolean; count: number }>();
  for (const { accepted, key } of rules) {
    const kind = key.slice(0, key.indexOf("/"));
    const id = `${kind} ${String(accepted)}`;
    const counted = counts.get(id) ?? { kind, accepted, count: 0 };
    counted.count++;
    counts.set(id, counted);
  }
  for (const { accepted, count, kind } of counts.values())
    instruments.set("signalbox_rules", count, { kind, accepted: String(accepted) });
}

const rejectGauges = new Map([
  ["cds", "pilot_xds_cds_reject"],
  ["eds", "pilot_xds_eds_reject"],
  ["lds", "pilot_xds_lds_reject"],
  ["rds", "pilot_xds_rds_reject"],
] as const);

function readClients(instruments: Instruments, sources: MetricsOptions["sources"]): void {
  const connected = { sotw: 0, delta: 0 };
  const rejects = new Map<string, number>();
  for (const client of sources.clients()) {
    connected[client.protocol]++;
    for (const { resourceType, error } of client.subscriptions) {
      const type = shortType(resourceType);
      if (error !== undefined) rejects.set(type, (rejects.get(type) ?? 0) + 1);
    }
  }
  instruments.set("pilot_xds", connected.sotw, { protocol: "sotw" });
  instruments.set("pilot_xds", connected.delta, { protocol: "delta" });
  for (const [type, name] of rejectGauges) instruments.set(name, rejects.get(type) ?? 0);
}
