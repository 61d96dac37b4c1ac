import type {
  FilterChainMatchSchema,
  FilterChainSchema,
  FilterSchema,
  ListenerFilterSchema,
} from "@signalbox/envoy-api/envoy/config/listener/v3/listener_components";
import type { RouteConfigurationSchema } from "@signalbox/envoy-api/envoy/config/route/v3/route";
import { CorsSchema } from "@signalbox/envoy-api/envoy/extensions/filters/http/cors/v3/cors";
import { FilterConfigSchema as DynamicForwardProxySchema } from "@signalbox/envoy-api/envoy/extensions/filters/http/dynamic_forward_proxy/v3/dynamic_forward_proxy";
import { HTTPFaultSchema } from "@signalbox/envoy-api/envoy/extensions/filters/http/fault/v3/fault";
import { FilterConfigSchema as GrpcStatsSchema } from "@signalbox/envoy-api/envoy/extensions/filters/http/grpc_stats/v3/config";
import { RouterSchema } from "@signalbox/envoy-api/envoy/extensions/filters/http/router/v3/router";
import { HttpInspectorSchema } from "@signalbox/envoy-api/envoy/extensions/filters/listener/http_inspector/v3/http_inspector";
import { OriginalDstSchema } from "@signalbox/envoy-api/envoy/extensions/filters/listener/original_dst/v3/original_dst";
import { TlsInspectorSchema } from "@signalbox/envoy-api/envoy/extensions/filters/listener/tls_inspector/v3/tls_inspector";
import {
  HttpConnectionManagerSchema,
  type HttpFilterSchema,
} from "@signalbox/envoy-api/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager";
import { TcpProxySchema } from "@signalbox/envoy-api/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy";
import { dnsCache } from "./clusters.ts";
import { adsSource, duration, packed, type Init } from "./messages.ts";
import type { L4Target } from "./routing/l4-rules.ts";

/** A filter chain before it is encoded. */
export type FilterChainInit = Init<typeof FilterChainSchema>;
/** What a filter chain matches, before it is encoded. */
export type ChainMatchInit = Init<typeof FilterChainMatchSchema>;
/** A listener filter before it is encoded. */
export type ListenerFilterInit = Init<typeof ListenerFilterSchema>;
type NetworkFilterInit = Init<typeof FilterSchema>;
type TcpProxyInit = Init<typeof TcpProxySchema>;
type HttpFilterInit = Init<typeof HttpFilterSchema>;
type RouteConfigurationInit = Init<typeof RouteConfigurationSchema>;

/** What the protocol inspectors report for plaintext HTTP: HTTP/1.1 and HTTP/2 with prior knowledge. */
export const plaintextHttp: ChainMatchInit = {
  transportProtocol: "raw_buffer",
  applicationProtocols: ["http/1.1", "h2c"],
};

/** A network filter that sends every byte to a cluster, or where a rule says. */
export function tcpProxy(target: string | L4Target): NetworkFilterInit {
  const value = typeof target === "string" ? plainProxy(target) : ruledProxy(target);
  return {
    name: "envoy.filters.network.tcp_proxy",
    configType: { case: "typedConfig", value: packed(TcpProxySchema, value) },
  };
}

function plainProxy(cluster: string): TcpProxyInit {
  return { statPrefix: cluster, clusterSpecifier: { case: "cluster", value: cluster } };
}

function ruledProxy(target: L4Target): TcpProxyInit {
  const { clusters, idleTimeout, maxConnectionDuration = 0, sourceIpHash, tunnel } = target;
  const [only, ...others] = clusters;
  return {
    statPrefix: target.statPrefix,
    clusterSpecifier:
      only !== undefined && others.length === 0
        ? { case: "cluster", value: only.name }
        : { case: "weightedClusters", value: { clusters: [...clusters] } },
    ...(idleTimeout === undefined ? {} : { idleTimeout: duration(idleTimeout) }),
    // Envoy takes none below a millisecond.
    ...(maxConnectionDuration < 1 ? {} : { maxDownstreamConnectionDuration: duration(maxConnectionDuration) }),
    ...(sourceIpHash ? { hashPolicy: [{ policySpecifier: { case: "sourceIp", value: {} } }] } : {}),
    ...(tunnel === undefined ? {} : { tunnelingConfig: tunnel }),
  };
}

/** How an HTTP connection manager finds its routes: a name to ask for, or the routes themselves. */
export type Routes = { readonly rds: string } | { readonly inline: RouteConfigurationInit };

/**
 * A network filter that speaks HTTP. `dynamicDns` names the DYNAMIC_DNS clusters that its routes may choose: such a
 * cluster needs an HTTP filter that looks the host up before the router runs.
 */
export function httpConnectionManager(
  statPrefix: string,
  routes: Routes,
  dynamicDns: readonly string[] = [],
): NetworkFilterInit {
  return {
    name: "envoy.filters.network.http_connection_manager",
    configType: {
      case: "typedConfig",
      value: packed(HttpConnectionManagerSchema, {
        statPrefix,
        routeSpecifier:
          "rds" in routes
            ? { case: "rds", value: { configSource: adsSource(), routeConfigName: routes.rds } }
            : { case: "routeConfig", value: routes.inline },
        httpFilters: httpFilters(dynamicDns),
        useRemoteAddress: false,
        streamIdleTimeout: duration(0),
        proxy100Continue: true,
        normalizePath: true,
        upgradeConfigs: [{ upgradeType: "websocket" }],
      }),
    },
  };
}

/** The last HTTP filter, which proxyless gRPC clients demand with its typed configuration. */
export function routerFilter(): HttpFilterInit {
  return { name: "envoy.filters.http.router", configType: { case: "typedConfig", value: packed(RouterSchema, {}) } };
}

/** Fails and delays requests as their routes say. */
export function faultFilter(): HttpFilterInit {
  return { name: "envoy.filters.http.fault", configType: { case: "typedConfig", value: packed(HTTPFaultSchema, {}) } };
}

function httpFilters(dynamicDns: readonly string[]): HttpFilterInit[] {
  const filter = (name: string, value: ReturnType<typeof packed>): HttpFilterInit => ({
    name,
    configType: { case: "typedConfig", value },
  });
  return [
    filter(
      "envoy.filters.http.grpc_stats",
      packed(GrpcStatsSchema, {
        emitFilterState: true,
        perMethodStatSpecifier: { case: "statsForAllMethods", value: { value: false } },
      }),
    ),
    faultFilter(),
    filter("envoy.filters.http.cors", packed(CorsSchema, {})),
    ...dynamicDns.map((cluster) =>
      filter(
        "envoy.filters.http.dynamic_forward_proxy",
        packed(DynamicForwardProxySchema, {
          implementationSpecifier: { case: "dnsCacheConfig", value: dnsCache(cluster) },
        }),
      ),
    ),
    routerFilter(),
  ];
}

/** Tells plaintext HTTP from other bytes. */
export function httpInspector(): ListenerFilterInit {
  return {
    name: "envoy.filters.listener.http_inspector",
    configType: { case: "typedConfig", value: packed(HttpInspectorSchema, {}) },
  };
}

/** Tells TLS from other bytes and reads SNI and ALPN. */
export function tlsInspector(): ListenerFilterInit {
  return {
    name: "envoy.filters.listener.tls_inspector",
    configType: { case: "typedConfig", value: packed(TlsInspectorSchema, {}) },
  };
}

/** Restores the address that the application dialled. */
export function originalDestinationFilter(): ListenerFilterInit {
  return {
    name: "envoy.filters.listener.original_dst",
    configType: { case: "typedConfig", value: packed(OriginalDstSchema, {}) },
  };
}
