import type { LoadBalancer } from "@signalbox/istio-objects";

/** Retry settings that a route may carry, with the names of Istio's `HTTPRetry`. */
export interface HttpRetry {
  readonly attempts?: number;
  /** Comma-separated Envoy retry conditions. */
  readonly retryOn?: string;
  /** A duration such as `25ms`; none means no limit per try. */
  readonly perTryTimeout?: string;
  /** Retry at endpoints of other localities (lower priorities) too. */
  readonly retryRemoteLocalities?: boolean;
  /** Leave out endpoints that a try was made at. Default true, unless a hash of the request chose the endpoint. */
  readonly retryIgnorePreviousHosts?: boolean;
  /** A duration: the least time between tries. Default: Envoy's. */
  readonly backoff?: string;
}

/** Where calls go by where the client is: Istio's `LocalityLoadBalancerSetting`. */
export interface LocalityLbSetting {
  /** Default true; what it does needs `distribute`, or outlier detection in a DestinationRule. */
  readonly enabled?: boolean;
  readonly distribute?: readonly { readonly from?: string; readonly to?: Readonly<Record<string, number>> }[];
  readonly failover?: readonly { readonly from?: string; readonly to?: string }[];
  readonly failoverPriority?: readonly string[];
}

/** The part of Istio's MeshConfig that the translator reads, under Istio's field names. Every field may be left out. */
export interface MeshConfig {
  /** Port of one HTTP listener on loopback for all HTTP services; 0 or absent means none. */
  readonly proxyHttpPort?: number;
  /** Where captured outbound traffic arrives. Default 15001. */
  readonly proxyListenPort?: number;
  /** Where captured inbound traffic arrives. Default 15006. */
  readonly proxyInboundListenPort?: number;
  /** Default `10s`. */
  readonly connectTimeout?: string;
  /** How long a listener filter may look for the protocol; `0s`, the default, means without limit, as in Istio. */
  readonly protocolDetectionTimeout?: string;
  readonly outboundTrafficPolicy?: { readonly mode?: "ALLOW_ANY" | "REGISTRY_ONLY" };
  readonly defaultHttpRetryPolicy?: HttpRetry;
  /** Default `60s`. */
  readonly dnsRefreshRate?: string;
  /** TCP keepalive of connections to endpoints: probes until one is lost, idle time before the first, time between them. Default: the system's. */
  readonly tcpKeepalive?: { readonly probes?: number; readonly time?: string; readonly interval?: string };
  /** `UPGRADE` speaks HTTP/2 to the endpoints of HTTP ports. Default `DO_NOT_UPGRADE`. */
  readonly h2UpgradePolicy?: "DO_NOT_UPGRADE" | "UPGRADE";
  readonly localityLbSetting?: LocalityLbSetting;
  /** Namespace whose rules are for all. Default `istio-system`. */
  readonly rootNamespace?: string;
}

/** MeshConfig with every default filled in and every duration in milliseconds. */
export interface MeshSettings {
  readonly proxyHttpPort: number;
  readonly proxyListenPort: number;
  readonly proxyInboundListenPort: number;
  readonly connectTimeout: number;
  readonly protocolDetectionTimeout: number;
  readonly registryOnly: boolean;
  readonly retry: {
    readonly attempts: number;
    readonly retryOn: string;
    readonly perTryTimeout: number | undefined;
    readonly retryRemoteLocalities: boolean;
    /** Undefined where nothing is said: then a retry avoids them unless a hash chose the endpoint. */
    readonly retryIgnorePreviousHosts: boolean | undefined;
    readonly backoff: number | undefined;
  };
  readonly dnsRefreshRate: number;
  readonly tcpKeepalive: TcpKeepalive | undefined;
  /** HTTP/2 to the endpoints of HTTP ports. */
  readonly h2Upgrade: boolean;
  readonly localityLb: LocalityLb;
  readonly rootNamespace: string;
}

/** Times in milliseconds; 0 probes and absent times are the system's. */
export interface TcpKeepalive {
  readonly probes: number;
  readonly time: number | undefined;
  readonly interval: number | undefined;
}

/** Locality load balancing in the form in which DestinationRules have it. */
export type LocalityLb = NonNullable<LoadBalancer["localityLbSetting"]>;

/** Retry conditions of Istio's default policy. */
export const defaultRetryOn = "connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes";
const unitMilliseconds = { h: 3_600_000, m: 60_000, s: 1000, ms: 1, us: 0.001, ns: 0.000001 } as const;

/** Thrown when a MeshConfig field cannot be used. `field` is its path. */
export class MeshConfigError extends Error {
  readonly code = "SBX_MESH_CONFIG";
  readonly field: string;

  constructor(field: string, message: string) {
    super(`${field}: ${message}`);
    this.name = "MeshConfigError";
    this.field = field;
  }
}

/** Fills in Istio's defaults. Throws a MeshConfigError for a duration or a port that cannot be one. */
export function meshSettings(mesh: MeshConfig): MeshSettings {
  const retry = mesh.defaultHttpRetryPolicy;
  const perTry = retry?.perTryTimeout;
  return {
    proxyHttpPort: portOf("proxyHttpPort", mesh.proxyHttpPort, 0),
    proxyListenPort: portOf("proxyListenPort", mesh.proxyListenPort, 15001) || 15001,
    proxyInboundListenPort: portOf("proxyInboundListenPort", mesh.proxyInboundListenPort, 15006) || 15006,
    connectTimeout: durationOf("connectTimeout", mesh.connectTimeout ?? "10s"),
    protocolDetectionTimeout: durationOf("protocolDetectionTimeout", mesh.protocolDetectionTimeout ?? "0s"),
    // A policy that says no mode has protobuf's first one.
    registryOnly: mesh.outboundTrafficPolicy !== undefined && mesh.outboundTrafficPolicy.mode !== "ALLOW_ANY",
    retry: {
      attempts: retry?.attempts ?? 2,
      retryOn: retry?.retryOn === undefined || retry.retryOn === "" ? defaultRetryOn : retry.retryOn,
      perTryTimeout: optionalDuration("defaultHttpRetryPolicy.perTryTimeout", perTry),
      retryRemoteLocalities: retry?.retryRemoteLocalities ?? false,
      retryIgnorePreviousHosts: retry?.retryIgnorePreviousHosts,
      backoff: optionalDuration("defaultHttpRetryPolicy.backoff", retry?.backoff),
    },
    dnsRefreshRate: durationOf("dnsRefreshRate", mesh.dnsRefreshRate ?? "60s"),
    tcpKeepalive: keepaliveOf(mesh.tcpKeepalive),
    h2Upgrade: mesh.h2UpgradePolicy === "UPGRADE",
    localityLb: localityOf(mesh.localityLbSetting ?? {}),
    rootNamespace: mesh.rootNamespace ?? "istio-system",
  };
}

function keepaliveOf(keepalive: MeshConfig["tcpKeepalive"]): TcpKeepalive | undefined {
  if (keepalive === undefined) return undefined;
  const { interval, probes = 0, time } = keepalive;
  if (!Number.isInteger(probes) || probes < 0 || probes > 0xffff_ffff)
    throw new MeshConfigError("tcpKeepalive.probes", "must be a whole number of at least 0");
  return {
    probes,
    time: optionalDuration("tcpKeepalive.time", time),
    interval: optionalDuration("tcpKeepalive.interval", interval),
  };
}

function localityOf({
  distribute = [],
  enabled = true,
  failover = [],
  failoverPriority = [],
}: LocalityLbSetting): LocalityLb {
  return {
    enabled,
    distribute: distribute.map(({ from = "", to = {} }) => ({ from, to })),
    failover: failover.map(({ from = "", to = "" }) => ({ from, to })),
    failoverPriority,
  };
}

function optionalDuration(field: string, text: string | undefined): number | undefined {
  return text === undefined ? undefined : durationOf(field, text);
}

function portOf(field: string, value: number | undefined, fallback: number): number {
  const port = value ?? fallback;
  if (!Number.isInteger(port) || port < 0 || port > 65535)
    throw new MeshConfigError(field, "must be a port, 0 to 65535");
  return port;
}

function durationOf(field: string, text: string): number {
  let milliseconds = 0;
  let end = 0;
  for (const part of text.matchAll(/(\d+(?:\.\d+)?)(ms|us|ns|h|m|s)/gy)) {
    milliseconds += Number(part[1]) * unitMilliseconds[part[2] as keyof typeof unitMilliseconds];
    end = part.index + part[0].length;
  }
  if (end === 0 || end !== text.length)
    throw new MeshConfigError(field, `"${text}" is not a duration such as 10s or 250ms`);
  return milliseconds;
}
