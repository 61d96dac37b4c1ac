/**
 * One metric. Labels never hold node ids or anything else that clients make up. Of the names of services, one metric holds those that somebody
 * should look at, and not many.
 */
export interface MetricDefinition {
  readonly name: string;
  readonly type: "counter" | "gauge" | "histogram";
  readonly help: string;
  readonly labels: readonly string[];
  /** Upper bounds of a histogram. */
  readonly buckets?: readonly number[];
}

const seconds = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 3, 5, 10, 20, 30] as const;
const bytes = [1, 10_000, 1_000_000, 4_000_000, 10_000_000, 40_000_000] as const;

const definitions = [
  // Names that Istio has, with Istio's meaning unless the help says otherwise.
  gauge("pilot_eds_no_instances", "Services of the catalog that have no endpoint."),
  counter(
    "pilot_inbound_updates",
    "Changes that the catalog received: svc (a service is new or changed), svcdelete, eds (only its endpoints changed), config (an Istio object).",
    ["type"],
  ),
  counter(
    "pilot_push_triggers",
    "Changes of the catalog that made a push necessary, by what changed: service, endpoint, config, workload.",
    ["type"],
  ),
  histogram(
    "pilot_debounce_time",
    "Seconds from the first gathered change to the publication of all of them.",
    seconds,
  ),
  histogram(
    "pilot_pushcontext_init_seconds",
    "Seconds that the translation of one change of the catalog into resources took.",
    seconds,
  ),
  histogram(
    "pilot_proxy_convergence_time",
    "Seconds from the newest change that a response holds to the client's acknowledgement.",
    seconds,
  ),
  gauge("pilot_services", "Services in the catalog."),
  counter("pilot_total_xds_rejects", "Responses that clients refused (NACK), by resource type.", ["type"]),
  gauge("pilot_virt_services", "VirtualServices in force."),
  gauge("pilot_xds", "Connected xDS clients, by protocol (sotw or delta).", ["protocol"]),
  gauge("pilot_xds_cds_reject", "Connected clients that refused their last response of clusters."),
  histogram("pilot_xds_config_size_bytes", "Size of responses in bytes, by resource type.", bytes, ["type"]),
  gauge("pilot_xds_eds_reject", "Connected clients that refused their last response of endpoints."),
  counter("pilot_xds_expired_nonce", "Requests that answered an older response than the last one, by resource type.", [
    "type",
  ]),
  gauge("pilot_xds_lds_reject", "Connected clients that refused their last response of listeners."),
  counter("pilot_xds_pushes", "Responses sent, by resource type.", ["type"]),
  gauge("pilot_xds_rds_reject", "Connected clients that refused their last response of routes."),
  // Names of our own.
  counter(
    "signalbox_admission_reviews_total",
    "Reviews that the admission webhook answered, by result: allowed, warned (allowed with warnings), refused, malformed (no review).",
    ["result"],
  ),
  gauge("signalbox_build_info", "Always 1; the labels say what runs.", ["version", "node_version"]),
  counter("signalbox_bus_events_total", "Events read from the bus, by type (snapshot or delta).", ["type"]),
  gauge("signalbox_bus_leading", "1 where this process writes the catalog, 0 where another one does or none."),
  gauge("signalbox_bus_revision", "Sequence number of the catalog that is in force; it starts anew with an epoch."),
  gauge("signalbox_catalog_instances", "Endpoints in the catalog, by health status.", ["health"]),
  gauge("signalbox_catalog_objects", "Istio objects in the catalog."),
  gauge("signalbox_catalog_workloads", "Workloads in the catalog."),
  gauge(
    "signalbox_drift_instances",
    "Endpoints of a registry (source) by what the cluster's workloads say of them: confirmed, not_ready, terminating, ghost, impostor, port_mismatch, unverifiable, unregistered.",
    ["service", "source", "verdict"],
  ),
  counter(
    "signalbox_guard_decisions_total",
    "Decisions of a registry's guard: tripped, held, released, passed, extended; reason says why it released or passed.",
    ["registry", "type", "reason"],
  ),
  gauge(
    "signalbox_guard_held_endpoints",
    "Endpoints that left a registry and are held, by what tripped: the whole source, or a service of it.",
    ["registry", "scope"],
  ),
  gauge("signalbox_guard_open", "Guards of a registry that hold something; no series where none does.", ["registry"]),
  gauge("signalbox_journal_bytes", "Bytes of all segments of the journal."),
  gauge("signalbox_journal_degraded", "1 while the journal cannot be written."),
  counter("signalbox_journal_lost_total", "Entries that the journal lost."),
  gauge("signalbox_journal_sequence", "Sequence number of the journal's newest entry; 0 until it is open."),
  counter(
    "signalbox_metrics_dropped_total",
    "Observations of registries that were not recorded, because a metric or a label did not fit its bounds.",
  ),
  gauge("signalbox_overrides", "People's overrides that hold now."),
  gauge("signalbox_registry_age_seconds", "Seconds since the last complete read of a registry.", ["registry"]),
  gauge(
    "signalbox_registry_problem",
    "1 for the problem that a registry has now: unreachable, auth_failed or protocol_error.",
    ["registry", "problem"],
  ),
  counter(
    "signalbox_registry_restarts_total",
    "How often the run of a registry was started again after it ended by itself.",
    ["registry"],
  ),
  gauge("signalbox_registry_services", "Services that a registry contributes.", ["registry"]),
  gauge(
    "signalbox_registry_state",
    "1 for the state that a registry is in: init, restored, synced, stale or expired.",
    ["registry", "state"],
  ),
  gauge("signalbox_rules", "Istio objects by kind, and whether their newest form can be used (true or false).", [
    "kind",
    "accepted",
  ]),
  gauge(
    "signalbox_service_name_collisions",
    "Services that could not have the name they want, because another service of their registry has it.",
  ),
  gauge("signalbox_withdrawals_stopped", "1 while withdrawals of ghosts wait for a person's word."),
  counter("signalbox_xds_acks_total", "Responses that clients acknowledged, by resource type.", ["type"]),
  counter(
    "signalbox_xds_certificate_reloads_total",
    "Changes of the server's certificate files, by result: ok, or failed (those in use stay).",
    ["result"],
  ),
  counter("signalbox_xds_refused_streams_total", "Streams that were refused, for a limit or for lack of permission."),
  counter("signalbox_xds_removed_resources_total", "Removals sent to delta clients, by resource type.", ["type"]),
  counter("signalbox_xds_sent_resources_total", "Resources sent, by resource type.", ["type"]),
  counter("signalbox_xds_streams_closed_total", "Streams that ended."),
  counter(
    "signalbox_xds_streams_total",
    "Streams that were opened, by service (ads, cds, eds, lds, rds, sds, other).",
    ["service"],
  ),
] as const satisfies readonly MetricDefinition[];

/** Names of the metrics that are always there. */
export type MetricName = (typeof definitions)[number]["name"];

/**
 * Every metric of Signalbox itself, Istio's names first. Besides these, `/metrics` has the process and Node.js metrics of
 * prom-client (`process_*`, `nodejs_*`), and `signalbox_*` metrics that registries make, with a `registry` label.
 */
export const metricCatalogue: readonly MetricDefinition[] = definitions;

function counter<N extends string>(name: N, help: string, labels: readonly string[] = []) {
  return { name, type: "counter", help, labels } as const;
}

function gauge<N extends string>(name: N, help: string, labels: readonly string[] = []) {
  return { name, type: "gauge", help, labels } as const;
}

function histogram<N extends string>(
  name: N,
  help: string,
  buckets: readonly number[],
  labels: readonly string[] = [],
) {
  return { name, type: "histogram", help, labels, buckets } as const;
}
