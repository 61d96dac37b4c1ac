import fc from "fast-check";
import { labels, portNumber, rarely, some } from "./arbitrary-parts.ts";

const manager = "envoy.filters.network.http_connection_manager";
const routerFilter = "envoy.filters.http.router";
const context = fc.constantFrom("ANY", "SIDECAR_INBOUND", "SIDECAR_OUTBOUND", "GATEWAY");
const typed = (name: string, fields: object) => ({
  "@type": `type.googleapis.com/envoy.extensions.${name}`,
  ...fields,
});
const proxy = rarely(fc.constantFrom({ proxyVersion: "^1\\..*" }, { metadata: { CLUSTER_ID: "one" } }));
const listener = (more: object) => some({ portNumber }).map((match) => ({ ...match, ...more }));

/** A patch with its place. */
function patch(
  applyTo: string,
  match: Readonly<Record<string, fc.Arbitrary<unknown>>>,
  operations: readonly string[],
  values: readonly object[],
): fc.Arbitrary<object> {
  const what = fc.record({ operation: fc.constantFrom(...operations), value: fc.constantFrom(...values) });
  return fc.record({
    applyTo: fc.constant(applyTo),
    match: fc.record({ context, proxy, ...match }, { requiredKeys: ["context"] }),
    patch: what,
  });
}

/** A patch that takes something away. */
function removal(applyTo: string, match: Readonly<Record<string, fc.Arbitrary<unknown>>>): fc.Arbitrary<object> {
  return fc.record({
    applyTo: fc.constant(applyTo),
    match: fc.record({ context, ...match }),
    patch: fc.constant({ operation: "REMOVE" }),
  });
}

const filterIn = { filterChain: { filter: { name: manager } } };
const beforeRouter = { filterChain: { filter: { name: manager, subFilter: { name: routerFilter } } } };
const httpFilters = [
  {
    name: "lua",
    typed_config: typed("filters.http.lua.v3.Lua", { default_source_code: { inline_string: "-- nothing" } }),
  },
  {
    name: "limit",
    typed_config: typed("filters.http.local_ratelimit.v3.LocalRateLimit", {
      stat_prefix: "limit",
      token_bucket: { max_tokens: 10, tokens_per_fill: 10, fill_interval: "60s" },
    }),
  },
];
const cluster = some({ portNumber, service: fc.constant("web.shop.svc.cluster.local"), subset: fc.constant("v1") });
const routes = some({ portNumber, name: fc.constant("80") });

// What a patch says is handed on as it is: these say only what Envoy takes wherever they apply.
const configPatch = fc.oneof(
  patch(
    "CLUSTER",
    { cluster },
    ["MERGE"],
    [
      { connect_timeout: "9s" },
      { circuit_breakers: { thresholds: [{ max_connections: 7 }] } },
      { per_connection_buffer_limit_bytes: 4096 },
    ],
  ),
  patch("CLUSTER", {}, ["ADD"], [{ name: "added", type: "STATIC", connect_timeout: "1s" }]),
  removal("CLUSTER", { cluster }),
  patch("HTTP_FILTER", { listener: listener(beforeRouter) }, ["INSERT_BEFORE", "INSERT_FIRST"], httpFilters),
  patch(
    "NETWORK_FILTER",
    { listener: listener(filterIn) },
    ["MERGE"],
    [
      {
        typed_config: typed("filters.network.http_connection_manager.v3.HttpConnectionManager", {
          server_name: "shop",
          common_http_protocol_options: { idle_timeout: "30s" },
        }),
      },
    ],
  ),
  patch(
    "NETWORK_FILTER",
    { listener: listener({}) },
    ["INSERT_FIRST"],
    [{ name: "rbac", typed_config: typed("filters.network.rbac.v3.RBAC", { stat_prefix: "tcp" }) }],
  ),
  patch("LISTENER", { listener: listener({}) }, ["MERGE"], [{ per_connection_buffer_limit_bytes: 4096 }]),
  removal("LISTENER", { listener: listener({}) }),
  patch(
    "LISTENER",
    {},
    ["ADD"],
    [
      {
        name: "added",
        address: { socket_address: { address: "127.0.0.1", port_value: 19_999 } },
        filter_chains: [
          {
            filters: [
              {
                name: "tcp",
                typed_config: typed("filters.network.tcp_proxy.v3.TcpProxy", { stat_prefix: "a", cluster: "added" }),
              },
            ],
          },
        ],
      },
    ],
  ),
  patch("FILTER_CHAIN", { listener: listener({}) }, ["MERGE"], [{ transport_socket_connect_timeout: "2s" }]),
  patch(
    "LISTENER_FILTER",
    { listener: listener({}) },
    ["INSERT_FIRST", "ADD"],
    [
      {
        name: "envoy.filters.listener.tls_inspector",
        typed_config: typed("filters.listener.tls_inspector.v3.TlsInspector", {}),
      },
    ],
  ),
  patch(
    "ROUTE_CONFIGURATION",
    { routeConfiguration: routes },
    ["MERGE"],
    [
      { max_direct_response_body_size_bytes: 9000 },
      { response_headers_to_add: [{ header: { key: "x-table", value: "yes" } }] },
    ],
  ),
  patch(
    "VIRTUAL_HOST",
    { routeConfiguration: routes },
    ["MERGE"],
    [{ request_headers_to_add: [{ header: { key: "x-host", value: "yes" } }] }],
  ),
  patch(
    "VIRTUAL_HOST",
    { routeConfiguration: routes },
    ["ADD"],
    [
      {
        name: "added",
        domains: ["added.example.com"],
        routes: [{ match: { prefix: "/" }, direct_response: { status: 404 } }],
      },
    ],
  ),
  patch(
    "HTTP_ROUTE",
    { routeConfiguration: routes },
    ["INSERT_FIRST", "ADD"],
    [{ name: "added", match: { prefix: "/added" }, direct_response: { status: 404 } }],
  ),
);

/** EnvoyFilters for every kind of resource. */
export const envoyFilter = fc
  .record(
    {
      workloadSelector: rarely(fc.record({ labels })),
      priority: fc.constantFrom(-1, 0, 5),
      configPatches: fc.array(configPatch, { minLength: 1, maxLength: 4 }),
    },
    { requiredKeys: ["configPatches"] },
  )
  .map((spec) => ({ kind: "EnvoyFilter", spec }));
