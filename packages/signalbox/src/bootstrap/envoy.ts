import { isIP } from "node:net";
import { join, resolve } from "node:path";
import type { BootstrapOptions, ClientTls, HostPort } from "./options.ts";

/** Plain JSON data. */
export type Json = Readonly<Record<string, unknown>>;

/** Name of the cluster through which Envoy reaches the control plane. */
export const xdsClusterName = "xds_cluster";

/**
 * How long Envoy waits, at random up to a growing limit, before it connects anew. Its own limit grows to 30 s: an Envoy that met
 * a few dead addresses in a row would then find the living one half a minute late.
 */
const reconnect = { retry_back_off: { base_interval: "0.5s", max_interval: "5s" } };

/** How often a polling Envoy asks, in milliseconds. */
export const restRefreshMs = 1_000;

/**
 * A bootstrap for Envoy, as the proto3 JSON form of `envoy.config.bootstrap.v3.Bootstrap`: the node, where listeners and
 * clusters come from, the way to the control plane with keepalive, and the admin page on loopback. Envoy waits for its first
 * resources for ever (`initial_fetch_timeout: 0s`), so that it never serves half a configuration.
 */
export function envoyBootstrap(options: BootstrapOptions): Json {
  const admin = { address: { socket_address: { address: "127.0.0.1", port_value: options.adminPort } } };
  const viaNetwork = options.transport.type !== "files";
  return {
    node: nodeOf(options),
    admin,
    dynamic_resources: dynamicResources(options),
    ...(viaNetwork ? { static_resources: { clusters: [xdsCluster(options)] } } : {}),
  };
}

/** The node as xDS carries it. Parts without content are left out. */
export function nodeOf(options: Pick<BootstrapOptions, "nodeId" | "nodeCluster" | "metadata" | "locality">): Json {
  const { region, zone, subzone } = options.locality ?? { region: "", zone: "", subzone: "" };
  const locality = {
    ...(region === "" ? {} : { region }),
    ...(zone === "" ? {} : { zone }),
    ...(subzone === "" ? {} : { sub_zone: subzone }),
  };
  return {
    id: options.nodeId,
    cluster: options.nodeCluster,
    ...(options.locality === undefined ? {} : { locality }),
    ...(Object.keys(options.metadata).length === 0 ? {} : { metadata: options.metadata }),
  };
}

function dynamicResources({ transport }: BootstrapOptions): Json {
  switch (transport.type) {
    case "ads": {
      const fromAds = { ads: {}, resource_api_version: "V3", initial_fetch_timeout: "0s" };
      return {
        ads_config: {
          api_type: transport.protocol === "delta" ? "DELTA_GRPC" : "GRPC",
          transport_api_version: "V3",
          set_node_on_first_message_only: true,
          grpc_services: [{ envoy_grpc: { cluster_name: xdsClusterName, retry_policy: reconnect } }],
        },
        cds_config: fromAds,
        lds_config: fromAds,
      };
    }
    case "rest": {
      const polled = {
        api_config_source: {
          api_type: "REST",
          transport_api_version: "V3",
          cluster_names: [xdsClusterName],
          refresh_delay: `${restRefreshMs / 1000}s`,
          request_timeout: "5s",
        },
        resource_api_version: "V3",
        initial_fetch_timeout: "0s",
      };
      return { cds_config: polled, lds_config: polled };
    }
    case "files": {
      const dir = resolve(transport.dir);
      const watched = (name: string): Json => ({
        path_config_source: { path: join(dir, name), watched_directory: { path: dir } },
        resource_api_version: "V3",
        initial_fetch_timeout: "0s",
      });
      return { cds_config: watched("cds.json"), lds_config: watched("lds.json") };
    }
  }
}

/** One failed connection or stream makes Envoy try the next address. It comes back to an earlier one when it has to connect anew. */
const failOver: Json = {
  consecutive_5xx: 1,
  interval: "1s",
  base_ejection_time: "5s",
  max_ejection_time: "10s",
  max_ejection_percent: 100,
};

function xdsCluster(options: BootstrapOptions): Json {
  const { fallbacks = [], xds, transport, tls } = options;
  const addresses = [xds, ...fallbacks];
  const http2 = {
    typed_extension_protocol_options: {
      "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
        "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
        explicit_http_config: {
          http2_protocol_options: { connection_keepalive: { interval: "30s", timeout: "5s" } },
        },
      },
    },
  };
  return {
    name: xdsClusterName,
    type: addresses.every(({ host }) => isIP(host) !== 0) ? "STATIC" : "STRICT_DNS",
    connect_timeout: "1s",
    load_assignment: {
      cluster_name: xdsClusterName,
      endpoints: addresses.map(({ host, port }, priority) => ({
        ...(priority > 0 && { priority }),
        lb_endpoints: [{ endpoint: { address: { socket_address: { address: host, port_value: port } } } }],
      })),
    },
    ...(fallbacks.length > 0 && { outlier_detection: failOver }),
    ...(transport.type === "ads" ? http2 : {}),
    upstream_connection_options: { tcp_keepalive: { keepalive_time: 30, keepalive_interval: 10, keepalive_probes: 3 } },
    ...(tls === undefined ? {} : { transport_socket: tlsSocket(tls) }),
  };
}

function tlsSocket(tls: ClientTls): Json {
  const ip = isIP(tls.serverName) !== 0;
  return {
    name: "envoy.transport_sockets.tls",
    typed_config: {
      "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
      ...(ip ? {} : { sni: tls.serverName }),
      common_tls_context: {
        alpn_protocols: ["h2"],
        tls_params: { tls_minimum_protocol_version: "TLSv1_2" },
        tls_certificates: [
          { certificate_chain: { filename: resolve(tls.cert) }, private_key: { filename: resolve(tls.key) } },
        ],
        validation_context: {
          trusted_ca: { filename: resolve(tls.ca) },
          match_typed_subject_alt_names: [{ san_type: ip ? "IP_ADDRESS" : "DNS", matcher: { exact: tls.serverName } }],
        },
      },
    },
  };
}

/** Writes an address the way URIs do: IPv6 in brackets. */
export function hostPortText({ host, port }: HostPort): string {
  return `${isIP(host) === 6 ? `[${host}]` : host}:${port}`;
}
