import type { JsonValue } from "@bufbuild/protobuf";
import { typeUrls, type TypeUrl } from "@signalbox/envoy-api";
import { resourceFromJson } from "@signalbox/xds-server";
import { describe, expect, it } from "vitest";
import { jsonOf, patchesOf, sidecar } from "../testing/patches.ts";
import { compilePatches } from "./compile.ts";
import { Patcher } from "./patcher.ts";

const typeOf = (name: string) => `type.googleapis.com/envoy.extensions.filters.${name}`;
const tcp = (name: string) => ({
  name,
  typedConfig: { "@type": typeOf("network.tcp_proxy.v3.TcpProxy"), statPrefix: name, cluster: "c" },
});
const lua = (name: string) => ({
  name,
  typedConfig: {
    "@type": typeOf("http.lua.v3.Lua"),
    defaultSourceCode: { inlineString: "function envoy_on_request(h) end" },
  },
});
const router = { name: "envoy.filters.http.router", typedConfig: { "@type": typeOf("http.router.v3.Router") } };
const inspector = {
  name: "envoy.filters.listener.tls_inspector",
  typedConfig: { "@type": typeOf("listener.tls_inspector.v3.TlsInspector") },
};
const original = {
  name: "envoy.filters.listener.original_dst",
  typedConfig: { "@type": typeOf("listener.original_dst.v3.OriginalDst") },
};
const manager = "envoy.filters.network.http_connection_manager";
const hcm = {
  name: manager,
  typedConfig: {
    "@type": typeOf("network.http_connection_manager.v3.HttpConnectionManager"),
    statPrefix: "http",
    rds: { routeConfigName: "80", configSource: { ads: {} } },
    httpFilters: [{ name: "envoy.filters.http.cors", typedConfig: { "@type": typeOf("http.cors.v3.Cors") } }, router],
  },
};
const listener = {
  name: "0.0.0.0_80",
  address: { socketAddress: { address: "0.0.0.0", portValue: 80 } },
  trafficDirection: "OUTBOUND",
  filterChains: [{ name: "http", filterChainMatch: { transportProtocol: "raw_buffer" }, filters: [hcm] }],
  defaultFilterChain: { name: "rest", filters: [tcp("a"), tcp("b")] },
  listenerFilters: [inspector],
};
const table = {
  name: "80",
  virtualHosts: [
    {
      name: "web:80",
      domains: ["web", "web.shop"],
      routes: [
        { name: "one", match: { prefix: "/one" }, route: { cluster: "one", timeout: "5s" } },
        { name: "two", match: { prefix: "/" }, redirect: { hostRedirect: "two" } },
      ],
    },
    { name: "pay:80", domains: ["pay"] },
  ],
};
const cluster = { name: "outbound|80|v1|web.shop", connectTimeout: "1s", type: "STRICT_DNS" };

function patched(type: TypeUrl, json: object, ...patches: readonly object[]): unknown {
  const resource = resourceFromJson(type, jsonValue(json));
  const compiled = compilePatches(patchesOf(...patches));
  expect(compiled.faults).toEqual([]);
  const { resource: after, faults } = new Patcher(compiled, sidecar).patch(type, resource);
  expect(faults).toEqual([]);
  return after === undefined ? undefined : after === resource ? "untouched" : jsonOf(type, after);
}

function jsonValue(value: object): JsonValue {
  return JSON.parse(JSON.stringify(value)) as JsonValue;
}

/** Names of all filters, from the outside in. */
function outline(value: unknown): unknown {
  if (typeof value === "string" || value === undefined) return value;
  const { listenerFilters = [], filterChains = [], defaultFilterChain } = value as Record<string, never[]>;
  const names = (list: readonly { name?: string; typedConfig?: { httpFilters?: never[] } }[]): unknown[] =>
    list.map(({ name, typedConfig }) => (typedConfig?.httpFilters ? names(typedConfig.httpFilters) : short(name)));
  const chain = ({ filters = [] }: { filters?: never[] }) => names(filters);
  return [
    names(listenerFilters),
    ...filterChains.map(chain),
    ...(defaultFilterChain ? [chain(defaultFilterChain as object)] : []),
  ];
}

function short(name = ""): string {
  return name.slice(name.lastIndexOf(".") + 1);
}

const subFilter = (name: string) => ({ listener: { filterChain: { filter: { name: manager, subFilter: { name } } } } });
const network = (name: string) => ({ listener: { filterChain: { filter: { name } } } });
const before = [["tls_inspector"], [["cors", "router"]], ["a", "b"]];
const [inspectors, http, rest] = before;

describe("patches of listeners", () => {
  it.each<[string, string, object, unknown]>([
    ["HTTP_FILTER", "INSERT_BEFORE", subFilter(router.name), [inspectors, [["cors", "x", "router"]], rest]],
    [
      "HTTP_FILTER",
      "INSERT_AFTER",
      subFilter("envoy.filters.http.cors"),
      [inspectors, [["cors", "x", "router"]], rest],
    ],
    ["HTTP_FILTER", "INSERT_FIRST", {}, [inspectors, [["x", "cors", "router"]], rest]],
    ["HTTP_FILTER", "INSERT_BEFORE", {}, [inspectors, [["x", "cors", "router"]], rest]],
    ["HTTP_FILTER", "ADD", {}, [inspectors, [["cors", "router", "x"]], rest]],
    ["HTTP_FILTER", "REPLACE", subFilter("envoy.filters.http.cors"), [inspectors, [["x", "router"]], rest]],
    ["HTTP_FILTER", "REPLACE", {}, "untouched"],
    ["HTTP_FILTER", "REMOVE", subFilter("envoy.filters.http.cors"), [inspectors, [["router"]], rest]],
    ["HTTP_FILTER", "REMOVE", {}, "untouched"],
    ["HTTP_FILTER", "INSERT_BEFORE", subFilter("envoy.router"), "untouched"],
    ["HTTP_FILTER", "ADD", { context: "SIDECAR_INBOUND" }, "untouched"],
    ["HTTP_FILTER", "ADD", { context: "GATEWAY" }, "untouched"],
    ["HTTP_FILTER", "ADD", { listener: { portNumber: 81 } }, "untouched"],
    ["HTTP_FILTER", "ADD", { proxy: { proxyVersion: "^1\\.28" } }, "untouched"],
    ["HTTP_FILTER", "ADD", { proxy: { metadata: { tier: "gold" } } }, "untouched"],
    ["NETWORK_FILTER", "INSERT_BEFORE", network("b"), [inspectors, http, ["a", "x", "b"]]],
    ["NETWORK_FILTER", "INSERT_AFTER", network("a"), [inspectors, http, ["a", "x", "b"]]],
    [
      "NETWORK_FILTER",
      "INSERT_FIRST",
      { listener: { filterChain: { name: "rest" } } },
      [inspectors, http, ["x", "a", "b"]],
    ],
    ["NETWORK_FILTER", "ADD", { listener: { filterChain: { name: "rest" } } }, [inspectors, http, ["a", "b", "x"]]],
    ["NETWORK_FILTER", "REPLACE", network("a"), [inspectors, http, ["x", "b"]]],
    ["NETWORK_FILTER", "REMOVE", network("a"), [inspectors, http, ["b"]]],
    ["LISTENER_FILTER", "ADD", {}, [["tls_inspector", "original_dst"], http, rest]],
    ["LISTENER_FILTER", "INSERT_FIRST", {}, [["original_dst", "tls_inspector"], http, rest]],
    [
      "LISTENER_FILTER",
      "INSERT_BEFORE",
      { listener: { listenerFilter: inspector.name } },
      [["original_dst", "tls_inspector"], http, rest],
    ],
    [
      "LISTENER_FILTER",
      "INSERT_AFTER",
      { listener: { listenerFilter: inspector.name } },
      [["tls_inspector", "original_dst"], http, rest],
    ],
    ["LISTENER_FILTER", "REPLACE", { listener: { listenerFilter: inspector.name } }, [["original_dst"], http, rest]],
    ["LISTENER_FILTER", "REMOVE", { listener: { listenerFilter: inspector.name } }, [[], http, rest]],
    ["FILTER_CHAIN", "REMOVE", { listener: { filterChain: { name: "rest" } } }, [inspectors, http]],
    ["FILTER_CHAIN", "REMOVE", { listener: { filterChain: { transportProtocol: "raw_buffer" } } }, [inspectors, rest]],
    ["FILTER_CHAIN", "REMOVE", { listener: { filterChain: { sni: "web" } } }, "untouched"],
    ["FILTER_CHAIN", "ADD", { listener: { name: "0.0.0.0_80" } }, [inspectors, http, ["n"], rest]],
    ["LISTENER", "REMOVE", { listener: { portNumber: 80 } }, undefined],
    ["LISTENER", "REMOVE", { listener: { portNumber: 81 } }, "untouched"],
  ])("%s %s with match %j", (applyTo, operation, match, expected) => {
    const values: Record<string, object> = {
      HTTP_FILTER: lua("x"),
      NETWORK_FILTER: tcp("x"),
      LISTENER_FILTER: original,
      FILTER_CHAIN: { name: "new", filters: [tcp("n")] },
    };
    const patch = {
      applyTo,
      match,
      patch: { operation, ...(operation === "REMOVE" ? {} : { value: values[applyTo] }) },
    };
    expect(outline(patched(typeUrls.listener, listener, patch))).toEqual(expected);
  });

  it("merges what an HTTP connection manager is configured with", () => {
    const value = {
      typed_config: {
        "@type": hcm.typedConfig["@type"],
        server_name: "shop",
        upgrade_configs: [{ upgrade_type: "connect" }],
      },
    };
    const result = patched(typeUrls.listener, listener, {
      applyTo: "NETWORK_FILTER",
      match: network(manager),
      patch: { operation: "MERGE", value },
    });
    expect(result).toMatchObject({
      filterChains: [
        {
          filters: [
            {
              name: manager,
              typedConfig: { statPrefix: "http", serverName: "shop", upgradeConfigs: [{ upgradeType: "connect" }] },
            },
          ],
        },
      ],
    });
  });

  it("merges into a listener: lists come after, or alone", () => {
    const merge = (operation: string) =>
      outline(
        patched(typeUrls.listener, listener, {
          applyTo: "LISTENER",
          patch: { operation, value: { listener_filters: [original] } },
        }),
      );
    expect(merge("MERGE")).toEqual([["tls_inspector", "original_dst"], http, rest]);
    expect(merge("MERGE_AND_REPLACE_LIST")).toEqual([["original_dst"], http, rest]);
  });

  it("keep a filter as it was where one joins two types, and do the rest", () => {
    const patches = [
      { applyTo: "HTTP_FILTER", match: subFilter(router.name), patch: { operation: "MERGE", value: lua(router.name) } },
      { applyTo: "HTTP_FILTER", patch: { operation: "INSERT_FIRST", value: lua("first") } },
    ];
    const resource = resourceFromJson(typeUrls.listener, jsonValue(listener));
    const patcher = (all: readonly object[]) => new Patcher(compilePatches(patchesOf(...all)), sidecar);
    const { resource: after, faults } = patcher(patches).patch(typeUrls.listener, resource);
    expect(after?.bytes).toEqual(patcher(patches.slice(1)).patch(typeUrls.listener, resource).resource?.bytes);
    expect(faults).toMatchObject([
      { object: "shop/web", patch: 0, message: expect.stringContaining("cannot merge") as string },
    ]);
  });

  it("that together give what Envoy would refuse do nothing, and all are named", () => {
    const merge = { applyTo: "LISTENER", patch: { operation: "MERGE", value: { name: "other" } } };
    const resource = resourceFromJson(typeUrls.listener, jsonValue(listener));
    const { resource: after, faults } = new Patcher(compilePatches(patchesOf(merge)), sidecar).patch(
      typeUrls.listener,
      resource,
    );
    expect(after).toBe(resource);
    expect(faults).toMatchObject([{ object: "", by: ["shop/web"] }]);
  });
});

describe("patches of routes", () => {
  const one = { routeConfiguration: { vhost: { name: "web:80", route: { name: "one" } } } };
  const web = { routeConfiguration: { vhost: { domainName: "web.shop" } } };
  const route = { name: "x", match: { prefix: "/x" }, directResponse: { status: 200 } };
  it.each<[string, string, object, unknown]>([
    ["HTTP_ROUTE", "ADD", web, [["one", "two", "x"], []]],
    ["HTTP_ROUTE", "INSERT_FIRST", web, [["x", "one", "two"], []]],
    [
      "HTTP_ROUTE",
      "INSERT_FIRST",
      { routeConfiguration: { vhost: { route: { name: "two" } } } },
      [["x", "one", "two"], []],
    ],
    ["HTTP_ROUTE", "INSERT_BEFORE", one, [["x", "one", "two"], []]],
    ["HTTP_ROUTE", "INSERT_AFTER", one, [["one", "x", "two"], []]],
    ["HTTP_ROUTE", "REMOVE", one, [["two"], []]],
    ["HTTP_ROUTE", "REMOVE", { routeConfiguration: { vhost: { route: { action: "REDIRECT" } } } }, [["one"], []]],
    ["HTTP_ROUTE", "REPLACE", one, "untouched"],
    ["VIRTUAL_HOST", "ADD", {}, [["one", "two"], [], []]],
    ["VIRTUAL_HOST", "REMOVE", web, [[]]],
    ["VIRTUAL_HOST", "REPLACE", web, [[], []]],
    ["VIRTUAL_HOST", "REMOVE", { routeConfiguration: { name: "81" } }, "untouched"],
    ["VIRTUAL_HOST", "REMOVE", { routeConfiguration: { portNumber: 80 } }, []],
  ])("%s %s with match %j", (applyTo, operation, match, expected) => {
    const value = applyTo === "HTTP_ROUTE" ? route : { name: "new", domains: ["new"] };
    const result = patched(typeUrls.route, table, { applyTo, match, patch: { operation, value } });
    const { virtualHosts = [] } = result as { virtualHosts?: { routes?: { name: string }[] }[] };
    expect(
      result === "untouched" ? result : virtualHosts.map(({ routes = [] }) => routes.map(({ name }) => name)),
    ).toEqual(expected);
  });

  it("replaces a duration as a whole and merges the rest of a route", () => {
    const value = { route: { timeout: "0.5s", prefix_rewrite: "/" } };
    expect(
      patched(typeUrls.route, table, { applyTo: "HTTP_ROUTE", match: one, patch: { operation: "MERGE", value } }),
    ).toMatchObject({
      virtualHosts: [{ routes: [{ route: { cluster: "one", timeout: "0.500s", prefixRewrite: "/" } }, {}] }, {}],
    });
  });

  it("merges into a route table", () => {
    const patch = {
      applyTo: "ROUTE_CONFIGURATION",
      patch: { operation: "MERGE", value: { response_headers_to_remove: ["server"] } },
    };
    expect(patched(typeUrls.route, table, patch)).toMatchObject({ name: "80", responseHeadersToRemove: ["server"] });
  });
});

describe("routes that stand in an inbound listener", () => {
  it("take patches for inbound routes", () => {
    const inline = {
      ...hcm,
      typedConfig: {
        "@type": hcm.typedConfig["@type"],
        statPrefix: "http",
        routeConfig: { name: "inbound|8080||", virtualHosts: table.virtualHosts },
        httpFilters: [router],
      },
    };
    const inbound = {
      ...listener,
      name: "virtualInbound",
      trafficDirection: "INBOUND",
      filterChains: [{ filters: [inline] }],
    };
    const patch = {
      applyTo: "VIRTUAL_HOST",
      match: { context: "SIDECAR_INBOUND", routeConfiguration: { portNumber: 8080, vhost: { name: "pay:80" } } },
      patch: { operation: "MERGE", value: { include_request_attempt_count: true } },
    };
    expect(patched(typeUrls.listener, inbound, patch)).toMatchObject({
      filterChains: [
        { filters: [{ typedConfig: { routeConfig: { virtualHosts: [{}, { includeRequestAttemptCount: true }] } } }] },
      ],
    });
    expect(patched(typeUrls.listener, listener, patch)).toBe("untouched");
  });
});

describe("patches of clusters", () => {
  it.each<[object, boolean]>([
    [{}, true],
    [{ service: "web.shop" }, true],
    [{ service: "pay.shop" }, false],
    [{ subset: "v1", portNumber: 80 }, true],
    [{ subset: "v2" }, false],
    [{ portNumber: 81 }, false],
    [{ name: "outbound|80|v1|web.shop", service: "other" }, true],
  ])("match %j: %s", (match, fits) => {
    const result = patched(typeUrls.cluster, cluster, {
      applyTo: "CLUSTER",
      match: { context: "SIDECAR_OUTBOUND", cluster: match },
      patch: { operation: "MERGE", value: { lb_policy: "RANDOM", connect_timeout: "0.2s" } },
    });
    expect(result).toEqual(fits ? { ...cluster, lbPolicy: "RANDOM", connectTimeout: "0.200s" } : "untouched");
  });

  it("merge a transport socket of the same name and leave the rest of the patch out", () => {
    const socket = (fields: object) => ({
      name: "envoy.transport_sockets.tls",
      typedConfig: {
        "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
        ...fields,
      },
    });
    const result = patched(
      typeUrls.cluster,
      { ...cluster, transportSocket: socket({ sni: "web" }) },
      {
        applyTo: "CLUSTER",
        patch: {
          operation: "MERGE",
          value: { lbPolicy: "RANDOM", transportSocket: socket({ allowRenegotiation: true }) },
        },
      },
    );
    expect(result).toEqual({ ...cluster, transportSocket: socket({ sni: "web", allowRenegotiation: true }) });
  });

  it("removes a cluster, and adds others once", () => {
    expect(patched(typeUrls.cluster, cluster, { applyTo: "CLUSTER", patch: { operation: "REMOVE" } })).toBeUndefined();
    const add = (name: string, context: string) => ({
      applyTo: "CLUSTER",
      match: { context },
      patch: { operation: "ADD", value: { name } },
    });
    const compiled = compilePatches(patchesOf(add("a", "ANY"), add("b", "SIDECAR_INBOUND"), add("c", "GATEWAY")));
    expect([...new Patcher(compiled, sidecar).added(typeUrls.cluster).keys()]).toEqual(["a", "b"]);
    expect([...new Patcher(compiled, { ...sidecar, router: true }).added(typeUrls.cluster).keys()]).toEqual(["a", "c"]);
  });
});
