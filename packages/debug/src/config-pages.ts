import type { ConfigObject } from "@signalbox/model";
import { failure } from "./answer.ts";
import type { Answer, Page } from "./answer.ts";
import { timestamp } from "./istio-shapes.ts";
import { sortedBy, sortedRecord } from "./order.ts";
import { selectProxy } from "./proxies.ts";
import { shortTypes, typeUrl } from "./resource-type.ts";
import { isOn } from "./service-pages.ts";
import type { ClientView, DebugSources } from "./sources.ts";

// Group and version of the kinds that can be in a catalog. Source: the CRDs of istio.io/api.
const groups: readonly (readonly [group: string, version: string, kinds: readonly string[]])[] = [
  ["extensions.istio.io", "v1alpha1", ["WasmPlugin"]],
  [
    "networking.istio.io",
    "v1",
    ["DestinationRule", "Gateway", "ServiceEntry", "Sidecar", "VirtualService", "WorkloadEntry", "WorkloadGroup"],
  ],
  ["networking.istio.io", "v1alpha3", ["EnvoyFilter"]],
  ["networking.istio.io", "v1beta1", ["ProxyConfig"]],
  ["security.istio.io", "v1", ["AuthorizationPolicy", "PeerAuthentication", "RequestAuthentication"]],
  ["telemetry.istio.io", "v1", ["Telemetry"]],
];
const knownKinds = groups.flatMap(([group, version, kinds]) => kinds.map((kind) => ({ group, version, kind })));
const byKind = new Map(knownKinds.map((known) => [known.kind, known]));

/** Pages about configuration: what users gave, and what proxies get. */
export function configPages(sources: DebugSources): Page[] {
  const dump = (types?: string) => (query: URLSearchParams) => configDump(sources, query, types);
  return [
    {
      path: "/debug/config_dump",
      help: "What a proxy would get, as an Envoy config dump: ?proxyID=<id>. ?types=cds,lds for some types, ?include_eds.",
      answer: dump(),
    },
    { path: "/debug/ecdsz", help: "Extension configurations for a proxy: ?proxyID=<id>.", answer: dump("ecds") },
    { path: "/debug/edsz", help: "Endpoints for a proxy: ?proxyID=<id>.", answer: dump("eds") },
    { path: "/debug/ndsz", help: "The DNS name table for a proxy: ?proxyID=<id>.", answer: dump("nds") },
    { path: "/debug/configz", help: "All Istio objects in force.", answer: () => configz(sources) },
    {
      path: "/debug/mesh",
      help: "The mesh configuration in force.",
      answer: () =>
        sources.mesh === undefined
          ? failure(404, "SBX_NO_MESH", "This process has no mesh configuration.")
          : { type: "json", value: sources.mesh() },
    },
    {
      path: "/debug/resourcesz",
      help: "The kinds of Istio objects that are understood.",
      answer: () => ({ type: "json", value: knownKinds }),
    },
    {
      path: "/debug/registriesz",
      help: "The registries: state, age, last error.",
      answer: () => ({ type: "json", value: registries(sources) }),
    },
  ];
}

function configz(sources: DebugSources): Answer {
  const catalog = sources.catalog();
  if (catalog === undefined) return failure(503, "SBX_NO_CATALOG", "There is no catalog yet; /readyz says why.");
  const objects = sortedBy(catalog.objects.values(), (object) => `${object.kind}\0${object.namespace}\0${object.name}`);
  return { type: "array", items: objects.map(objectShape) };
}

/** An object as Kubernetes has it. */
function objectShape(object: ConfigObject): object {
  const known = byKind.get(object.kind);
  const labels = Object.entries(object.labels);
  const annotations = Object.entries(object.annotations);
  return {
    kind: object.kind,
    ...(known && { apiVersion: `${known.group}/${known.version}` }),
    metadata: {
      name: object.name,
      namespace: object.namespace,
      ...(labels.length > 0 && { labels: sortedRecord(labels) }),
      ...(annotations.length > 0 && { annotations: sortedRecord(annotations) }),
      ...(object.createdAt !== undefined && { creationTimestamp: timestamp(object.createdAt) }),
      ...(object.provenance.sourceVersion !== undefined && { resourceVersion: object.provenance.sourceVersion }),
    },
    spec: object.spec,
    source: { registry: object.provenance.registry, object: object.provenance.object },
  };
}

function registries(sources: DebugSources): object[] {
  return sortedBy(sources.registries(), ({ id }) => id).map((registry) => ({
    id: registry.id,
    state: registry.state,
    ...(registry.problem !== undefined && { problem: registry.problem }),
    services: registry.services,
    ...(registry.lastCompleteRead !== undefined && { lastCompleteRead: timestamp(registry.lastCompleteRead) }),
    ...(registry.ageMs !== undefined && { ageSeconds: registry.ageMs / 1000 }),
    ...(registry.withheld && { withheld: true }),
    ...(registry.deprioritised && { deprioritised: true }),
    ...(registry.lastError !== undefined && { lastError: registry.lastError.message }),
    ...(registry.restarts !== undefined && { restarts: registry.restarts }),
  }));
}

async function configDump(sources: DebugSources, query: URLSearchParams, fixed: string | undefined): Promise<Answer> {
  const selected = selectProxy(sources.clients(), query);
  if ("refusal" in selected) return selected.refusal;
  if (sources.configDump === undefined)
    return failure(404, "SBX_NO_CONFIG_DUMP", "This process does not make configurations for proxies.");
  const types: string[] = [];
  for (const short of (fixed ?? query.get("types") ?? "").split(",").filter((type) => type !== "")) {
    const url = typeUrl(short);
    if (url === undefined)
      return failure(400, "SBX_TYPE_UNKNOWN", `There is no resource type ${JSON.stringify(short)}.`, {
        types: shortTypes,
      });
    types.push(url);
  }
  return dumpFor(sources.configDump.bind(sources), selected.client, types, isOn(query, "include_eds"));
}

async function dumpFor(
  dump: NonNullable<DebugSources["configDump"]>,
  client: ClientView,
  types: readonly string[],
  includeEds: boolean,
): Promise<Answer> {
  const value = await dump(client, { types: types.length > 0 ? types : undefined, includeEds });
  if (value !== undefined) return { type: "json", value };
  return failure(503, "SBX_NOTHING_FOR_PROXY", `Nothing is known for ${client.nodeId} yet.`);
}
