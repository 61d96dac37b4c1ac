import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import { CommandFailedError, runCommand } from "@signalbox/test-servers";
import type { RenderedProxy } from "@signalbox/xds";

const connectionManager = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3";
const router = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router";

/**
 * What Envoy says of all that these clients get, in one process; empty when it takes it. Listeners and clusters stand as they are, under
 * names and addresses of their own; every route table stands in a listener that has it inline, every assignment in a cluster.
 */
export async function refusal(envoy: string, clients: readonly RenderedProxy[]): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "signalbox-rendered-"));
  try {
    const file = join(folder, "bootstrap.json");
    await writeFile(file, JSON.stringify(bootstrapOf(clients)));
    await runCommand(envoy, ["--mode", "validate", "-c", file, "-l", "error"], { timeoutMs: 120_000 });
    return "";
  } catch (error) {
    if (error instanceof CommandFailedError) return error.message;
    throw error;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function bootstrapOf(clients: readonly RenderedProxy[]): JsonObject {
  const { clusters, listeners } = together(clients.map(partsOf));
  return {
    node: { id: "test", cluster: "test" },
    dynamicResources: { adsConfig: { apiType: "GRPC", grpcServices: [{ envoyGrpc: { clusterName: "xds" } }] } },
    staticResources: { listeners, clusters: [streamTo("xds"), streamTo("sds-grpc"), ...clusters] },
  };
}

interface Parts {
  readonly listeners: JsonValue[];
  readonly clusters: JsonValue[];
}

function together(all: readonly Parts[]): Parts {
  return { listeners: all.flatMap((one) => one.listeners), clusters: all.flatMap((one) => one.clusters) };
}

function partsOf(client: RenderedProxy, at: number): Parts {
  const addresses = new Map<string, string>();
  const own = (name: JsonValue | undefined) => `${String(at)} ${textOf(name)}`;
  const listeners = client.listeners.map(objectOf).flatMap((listener) => {
    // What gRPC clients without a proxy get is not for Envoy.
    if (listener["apiListener"] !== undefined) return [];
    return [{ ...listener, name: own(listener["name"]), ...placed(listener, at, addresses) }];
  });
  const tables = client.routes.map((table, index) => tableListener(own(`table ${String(index)}`), at, index, table));
  const clusters = client.clusters.map(objectOf).map((cluster) => ({ ...cluster, name: own(cluster["name"]) }));
  const assignments = client.endpoints.map((loadAssignment, index) => ({
    name: own(`assignment ${String(index)}`),
    type: "STATIC",
    loadAssignment,
  }));
  return { listeners: [...listeners, ...tables], clusters: [...clusters, ...assignments] };
}

/** Clients do not get into each other's way; what stands at one address for a client still does. */
function placed(listener: JsonObject, at: number, addresses: Map<string, string>): JsonObject {
  const move = (address: JsonValue | undefined): JsonObject => {
    const { socketAddress, ...rest } = objectOf(address);
    if (socketAddress === undefined) return objectOf(address);
    const { address: given, ...socket } = objectOf(socketAddress);
    const known = addresses.get(textOf(given)) ?? addressOf(textOf(given), at, addresses.size + 1);
    addresses.set(textOf(given), known);
    return { ...rest, socketAddress: { ...socket, address: known } };
  };
  const additional = listener["additionalAddresses"];
  return {
    address: move(listener["address"]),
    ...(Array.isArray(additional)
      ? { additionalAddresses: additional.map(objectOf).map((one) => ({ ...one, address: move(one["address"]) })) }
      : {}),
  };
}

function addressOf(original: string, at: number, index: number): string {
  if (original.includes(":")) return `fd00::${at.toString(16)}:${index.toString(16)}`;
  return `10.${String(at >> 8)}.${String(at & 255)}.${String(index)}`;
}

function tableListener(name: string, at: number, index: number, routeConfig: JsonValue): JsonObject {
  const typedConfig = {
    "@type": `${connectionManager}.HttpConnectionManager`,
    statPrefix: "table",
    // As for tables that come by discovery: a cluster may come later, or never.
    routeConfig: { validateClusters: false, ...objectOf(routeConfig) },
    httpFilters: [{ name: "envoy.filters.http.router", typedConfig: { "@type": router } }],
  };
  return {
    name,
    address: {
      socketAddress: { address: `127.${String(at >> 8)}.${String(at & 255)}.1`, portValue: 10_000 + index },
    },
    filterChains: [{ filters: [{ name: "http", typedConfig }] }],
  };
}

function streamTo(name: string): JsonObject {
  const type = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
  const options = { "@type": `type.googleapis.com/${type}`, explicitHttpConfig: { http2ProtocolOptions: {} } };
  return { name, type: "STATIC", typedExtensionProtocolOptions: { [type]: options } };
}

function objectOf(value: JsonValue | undefined): JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? value : {};
}

function textOf(value: JsonValue | undefined): string {
  return typeof value === "string" ? value : "";
}
