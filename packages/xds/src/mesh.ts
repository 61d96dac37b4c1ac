/** Retry settings that a route may carry, with the names of Istio's `HTTPRetry`. */
export interface HttpRetry {
  readonly attempts?: number;
  /** Comma-separated Envoy retry conditions. */
  readonly retryOn?: string;
  /** A duration such as `25ms`; none means no limit per try. */
  readonly perTryTimeout?: string;
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
  readonly rootNamespace: string;
  readonly retry: { readonly attempts: number; readonly retryOn: string; readonly perTryTimeout: number | undefined };
  readonly dnsRefreshRate: number;
}

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
    rootNamespace: mesh.rootNamespace ?? "istio-system",
    // A policy that says no mode has protobuf's first one.
    registryOnly: mesh.outboundTrafficPolicy !== undefined && mesh.outboundTrafficPolicy.mode !== "ALLOW_ANY",
    retry: {
      attempts: retry?.attempts ?? 2,
      retryOn: retry?.retryOn === undefined || retry.retryOn === "" ? defaultRetryOn : retry.retryOn,
      perTryTimeout: perTry === undefined ? undefined : durationOf("defaultHttpRetryPolicy.perTryTimeout", perTry),
    },
    dnsRefreshRate: durationOf("dnsRefreshRate", mesh.dnsRefreshRate ?? "60s"),
  };
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
