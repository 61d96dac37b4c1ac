/** Who the proxy says it is. */
export interface BootstrapNode {
  readonly id: string;
  readonly cluster?: string;
  readonly metadata?: Readonly<Record<string, unknown>>;
  readonly locality?: { readonly region?: string; readonly zone?: string; readonly sub_zone?: string };
}

/** What all bootstraps have in common. */
export interface BootstrapBase {
  readonly node: BootstrapNode;
  /** 0 by default: Envoy picks one and `startEnvoy` reads which. */
  readonly adminPort?: number;
  /** Further static clusters in Envoy's JSON form. */
  readonly clusters?: readonly object[];
}

/** Options of `adsBootstrap`. */
export interface AdsBootstrapOptions extends BootstrapBase {
  /** IP address of the xDS server. 127.0.0.1 by default. */
  readonly xdsHost?: string;
  readonly xdsPort: number;
  /** State of the world (`StreamAggregatedResources`) or delta (`DeltaAggregatedResources`). */
  readonly mode: "sotw" | "delta";
}

/** Options of `restBootstrap`. */
export interface RestBootstrapOptions extends BootstrapBase {
  /** IP address of the REST-JSON xDS server. 127.0.0.1 by default. */
  readonly restHost?: string;
  readonly restPort: number;
  /** Milliseconds between two polls. 100 by default. */
  readonly refreshMs?: number;
}

/** Options of `fileBootstrap`. Envoy reloads a file when it is moved into place, not when it is written to. */
export interface FileBootstrapOptions extends BootstrapBase {
  readonly clustersPath: string;
  readonly listenersPath: string;
}

/** An Envoy bootstrap as JSON data. */
export type Bootstrap = Readonly<Record<string, unknown>>;

/** Bootstrap that takes clusters and listeners from one ADS stream. */
export function adsBootstrap(options: AdsBootstrapOptions): Bootstrap {
  const ads = { ads: {}, resource_api_version: "V3" };
  return bootstrap(options, {
    dynamic_resources: {
      ads_config: {
        api_type: options.mode === "delta" ? "DELTA_GRPC" : "GRPC",
        transport_api_version: "V3",
        set_node_on_first_message_only: true,
        grpc_services: [{ envoy_grpc: { cluster_name: "xds-grpc" } }],
      },
      cds_config: ads,
      lds_config: ads,
    },
    static_resources: {
      clusters: [
        {
          ...upstream("xds-grpc", options.xdsHost ?? "127.0.0.1", options.xdsPort),
          typed_extension_protocol_options: {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
              "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
              explicit_http_config: {
                http2_protocol_options: { connection_keepalive: { interval: "30s", timeout: "10s" } },
              },
            },
          },
        },
        ...(options.clusters ?? []),
      ],
    },
  });
}

/** Bootstrap that polls clusters and listeners by `POST /v3/discovery:*`. */
export function restBootstrap(options: RestBootstrapOptions): Bootstrap {
  const rest = {
    resource_api_version: "V3",
    api_config_source: {
      api_type: "REST",
      transport_api_version: "V3",
      cluster_names: ["xds-rest"],
      refresh_delay: `${(options.refreshMs ?? 100) / 1000}s`,
      request_timeout: "5s",
    },
  };
  return bootstrap(options, {
    dynamic_resources: { cds_config: rest, lds_config: rest },
    static_resources: {
      clusters: [upstream("xds-rest", options.restHost ?? "127.0.0.1", options.restPort), ...(options.clusters ?? [])],
    },
  });
}

/** Bootstrap that reads clusters and listeners from files and watches them. */
export function fileBootstrap(options: FileBootstrapOptions): Bootstrap {
  const file = (path: string): object => ({ resource_api_version: "V3", path_config_source: { path } });
  return bootstrap(options, {
    dynamic_resources: { cds_config: file(options.clustersPath), lds_config: file(options.listenersPath) },
    static_resources: { clusters: [...(options.clusters ?? [])] },
  });
}

function bootstrap(options: BootstrapBase, resources: Bootstrap): Bootstrap {
  const { node, adminPort = 0 } = options;
  return {
    node: { cluster: node.id, ...node },
    admin: { address: socketAddress("127.0.0.1", adminPort) },
    ...resources,
  };
}

function upstream(name: string, host: string, port: number): object {
  return {
    name,
    type: "STATIC",
    connect_timeout: "1s",
    load_assignment: {
      cluster_name: name,
      endpoints: [{ lb_endpoints: [{ endpoint: { address: socketAddress(host, port) } }] }],
    },
  };
}

/** Envoy's JSON form of an IP address and port. */
export function socketAddress(address: string, port: number): Bootstrap {
  return { socket_address: { address, port_value: port } };
}
