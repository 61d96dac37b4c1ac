import { create, type JsonObject } from "@bufbuild/protobuf";
import type { AggregateController, RegistryStatus } from "@signalbox/aggregate";
import type { ConfigDumpRequest, DebugSources, ReadinessCheck } from "@signalbox/debug";
import { typeUrls } from "@signalbox/envoy-api";
import { NodeSchema } from "@signalbox/envoy-api/envoy/config/core/v3/base";
import { configDump, type MeshConfig, type XdsPublisher } from "@signalbox/xds";
import type { XdsServer } from "@signalbox/xds-server";
import { version } from "./version.ts";

/** The stages that the debug pages read, each looked up when it is read. */
export interface DebuggedStages {
  aggregate(): AggregateController;
  publisher(): XdsPublisher;
  xds(): XdsServer | undefined;
  /** Whether clients are being sent away. */
  draining(): boolean;
  readonly mesh: MeshConfig;
}

/** What the debug pages and the metrics read. */
export function debugSources(stages: DebuggedStages): DebugSources {
  return {
    version: { version: version() },
    readiness: () => readiness(stages),
    catalog: () => (stages.publisher().status().revision === undefined ? undefined : stages.aggregate().catalog()),
    registries: () => stages.aggregate().status(),
    clients: () => stages.xds()?.status().clients ?? [],
    watchedNames: (stream) => stages.xds()?.watchedNames(stream) ?? new Map<string, readonly string[]>(),
    configDump: ({ metadata, nodeCluster, nodeId }, request) => {
      const node = create(NodeSchema, { id: nodeId, cluster: nodeCluster, metadata: metadata as JsonObject });
      const lease = stages.publisher().source.acquire(node, () => {});
      try {
        const view = lease.current();
        return Promise.resolve(view === undefined ? undefined : selected(configDump(view), request));
      } finally {
        lease.release();
      }
    },
    mesh: () => stages.mesh,
  };
}

function readiness(stages: DebuggedStages): readonly ReadinessCheck[] {
  const registries = stages.aggregate().status();
  const waiting = registries.filter(({ state }) => state === "INIT").map(withProblem);
  const old = registries
    .filter(({ state }) => state !== "INIT" && state !== "SYNCED")
    .map((registry) => `${withProblem(registry)} is ${registry.state}, last read ${age(registry.ageMs ?? 0)} ago`);
  const missing = waiting.length === 0 ? [] : [`waiting for ${waiting.join(", ")}`];
  const note = [...missing, ...old].join("; ");
  const synced = stages.publisher().status().revision !== undefined;
  const server = stages.xds();
  const draining = stages.draining();
  const open = server === undefined || server.status().plaintext !== undefined || server.status().tls !== undefined;
  const listening = open && !draining;
  return [
    {
      name: "catalog",
      ready: synced,
      ...(synced ? {} : { reason: missing[0] ?? "not published yet" }),
      ...(synced && note !== "" && { note }),
    },
    { name: "xds", ready: listening, ...(listening ? {} : { reason: draining ? "draining" : "not listening yet" }) },
  ];
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
