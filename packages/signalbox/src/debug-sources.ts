import { create, type JsonObject } from "@bufbuild/protobuf";
import type { AggregateController, RegistryStatus } from "@signalbox/aggregate";
import type { ClientView, ConfigDumpRequest, DebugSources, JournalView, ReadinessCheck } from "@signalbox/debug";
import { typeUrls } from "@signalbox/envoy-api";
import { NodeSchema } from "@signalbox/envoy-api/envoy/config/core/v3/base";
import { WatchedLease } from "@signalbox/xds-server";
import { configDump, parseNode, type MeshConfig, type XdsPublisher } from "@signalbox/xds";
import type { Catalog, Revision } from "@signalbox/model";
import { analyze, type RuleFinding } from "@signalbox/traffic";
import { analysisInput, withoutServed, type SelectableProxy } from "./analysis-input.ts";
import type { Role } from "./role.ts";
import type { StatusBus } from "./config/bus.ts";
import type { XdsFront } from "./publishing.ts";
import { version } from "./version.ts";

/** The stages that the debug pages read, each looked up when it is read. Those of another process's role are absent. */
export interface DebuggedStages {
  readonly role: Role;
  aggregate(): AggregateController | undefined;
  /** How the journal is, while there is one. */
  journal(): JournalView | undefined;
  publisher(): XdsPublisher | undefined;
  xds(): XdsFront | undefined;
  catalog(): Catalog;
  /** Whether there is a catalog to show. Where clients are served, it is one that they can have. */
  known(): boolean;
  readonly bus: Pick<StatusBus, "status">;
  /** Asks other processes for what a page shows, before it is made. */
  refresh?(path: string): Promise<void>;
  /** Whether clients are being sent away. */
  draining(): boolean;
  readonly mesh: MeshConfig;
}

/** So long a page waits for a view that is being made. Milliseconds. */
const viewWaitMs = 10_000;

/** What the debug pages and the metrics read. */
export function debugSources(stages: DebuggedStages): DebugSources {
  const analysis = new CatalogAnalysis();
  return {
    version: { version: version() },
    ...(stages.refresh && { refresh: (path: string) => stages.refresh?.(path) ?? Promise.resolve() }),
    readiness: () => readiness(stages),
    catalog: () => (stages.known() ? stages.catalog() : undefined),
    registries: () => stages.aggregate()?.status() ?? [],
    bus: () => stages.bus.status(),
    decisions: () => stages.aggregate()?.decisions,
    journal: () => stages.journal(),
    clients: () => stages.xds()?.status().clients ?? [],
    watchedNames: (stream) => stages.xds()?.watchedNames(stream) ?? new Map<string, readonly string[]>(),
    configDump: async (client, request) => {
      const { metadata, method, nodeCluster, nodeId, protocol, userAgent } = client;
      const [userAgentName = "", value = ""] = userAgent.split(" ");
      const node = create(NodeSchema, {
        id: nodeId,
        cluster: nodeCluster,
        metadata: metadata as JsonObject,
        userAgentName,
        userAgentVersionType: { case: "userAgentVersion", value },
      });
      const stream = { protocol, aggregated: method.endsWith("AggregatedResources") };
      const publisher = stages.publisher();
      if (publisher === undefined) return undefined;
      const lease = new WatchedLease(publisher.source, node, undefined, stream);
      try {
        // The first view of a kind is made in slices; before there is a catalog there is nothing to wait for.
        const view = await lease.view(stages.known() ? viewWaitMs : 0);
        return view === undefined ? undefined : selected(configDump(view), request);
      } finally {
        lease.release();
      }
    },
    rules: () => stages.publisher()?.rules(),
    ruleUsers: (keys, clients) => usersOf(stages.publisher(), keys, clients),
    analysis: () => (stages.known() ? analysis.of(stages.catalog(), proxiesOf(stages)) : undefined),
    mesh: () => stages.mesh,
  };
}

function usersOf(
  publisher: XdsPublisher | undefined,
  keys: readonly string[],
  clients: readonly ClientView[],
): ReadonlyMap<string, readonly ClientView[]> {
  const nodes = clients.map((client) => ({ id: client.nodeId, metadata: client.metadata, client }));
  const users = publisher?.ruleUsers(keys, nodes) ?? new Map<string, typeof nodes>();
  return new Map([...users].map(([key, found]) => [key, found.map(({ client }) => client)]));
}

/** Analyzes a catalog once for each revision, however often somebody asks. */
class CatalogAnalysis {
  #known: { readonly revision: Revision; readonly findings: readonly RuleFinding[] } | undefined;

  of(catalog: Catalog, proxies: readonly SelectableProxy[]): readonly RuleFinding[] {
    const { epoch, sequence } = catalog.revision;
    let known = this.#known;
    if (known?.revision.epoch !== epoch || known.revision.sequence !== sequence) {
      known = { revision: catalog.revision, findings: analyze(analysisInput(catalog)) };
      this.#known = known;
    }
    return withoutServed(known.findings, catalog.objects, proxies);
  }
}

/** The connected proxies as selectors find them. */
function proxiesOf(stages: DebuggedStages): readonly SelectableProxy[] {
  return (stages.xds()?.status().clients ?? []).map(({ metadata, nodeId }) => parseNode({ id: nodeId, metadata }));
}

function readiness(stages: DebuggedStages): readonly ReadinessCheck[] {
  return [catalogCheck(stages), ...(stages.role === "discover" ? [] : [xdsCheck(stages)]), ...busCheck(stages)];
}

function catalogCheck(stages: DebuggedStages): ReadinessCheck {
  const registries = stages.aggregate()?.status() ?? [];
  const waiting = registries.filter(({ state }) => state === "INIT").map(withProblem);
  const old = registries
    .filter(({ state }) => state !== "INIT" && state !== "SYNCED")
    .map((registry) => `${withProblem(registry)} is ${registry.state}, last read ${age(registry.ageMs ?? 0)} ago`);
  const missing = waiting.length === 0 ? [] : [`waiting for ${waiting.join(", ")}`];
  const note = [...missing, ...old].join("; ");
  const ready = stages.known();
  const reason = missing[0] ?? (stages.role === "publish" ? "the bus has given no catalog yet" : "not published yet");
  return { name: "catalog", ready, ...(ready ? {} : { reason }), ...(ready && note !== "" && { note }) };
}

function xdsCheck(stages: DebuggedStages): ReadinessCheck {
  const server = stages.xds();
  const draining = stages.draining();
  const open = server === undefined || server.status().plaintext !== undefined || server.status().tls !== undefined;
  const ready = open && !draining;
  return { name: "xds", ready, ...(ready ? {} : { reason: draining ? "draining" : "not listening yet" }) };
}

/**
 * The bus between processes. A publisher that cannot reach it serves what it has, and stays ready. Discovery that cannot reach it is of no use;
 * a standby is ready to take over.
 */
function busCheck(stages: DebuggedStages): readonly ReadinessCheck[] {
  const { bus, role } = stages;
  if (role === "all") return [];
  const { error, led } = bus.status();
  const trouble = error === undefined ? undefined : `the engine cannot be used: ${error}`;
  if (role === "publish") return [{ name: "bus", ready: true, ...(trouble !== undefined && { note: trouble }) }];
  if (stages.draining()) return [{ name: "bus", ready: false, reason: "draining" }];
  if (trouble !== undefined && !led) return [{ name: "bus", ready: false, reason: trouble }];
  return [{ name: "bus", ready: true, note: led ? "this process leads" : "standby: another process leads" }];
}

function withProblem({ id, problem }: RegistryStatus): string {
  return problem === undefined ? id : `${id} (${problem})`;
}

function age(ms: number): string {
  return ms < 120_000 ? `${Math.round(ms / 1000)} s` : `${Math.round(ms / 60_000)} min`;
}

const dumpTypes: ReadonlyMap<string, string> = new Map([
  [typeUrls.cluster, "ClustersConfigDump"],
  [typeUrls.endpoint, "EndpointsConfigDump"],
  [typeUrls.listener, "ListenersConfigDump"],
  [typeUrls.route, "RoutesConfigDump"],
  [typeUrls.virtualHost, "RoutesConfigDump"],
]);

/** The wanted parts of a dump. Endpoints are left out unless they are asked for, as Envoy does. */
function selected(dump: ReturnType<typeof configDump>, { includeEds, types }: ConfigDumpRequest): object {
  const wanted = new Set<unknown>(
    (types ?? [...dumpTypes.keys()].filter((type) => includeEds || type !== typeUrls.endpoint)).map(
      (type) => `type.googleapis.com/envoy.admin.v3.${dumpTypes.get(type) ?? ""}`,
    ),
  );
  return { configs: dump.configs.filter((part) => wanted.has(part["@type"])) };
}
