import {
  enumOf,
  int32,
  listOf,
  mapOf,
  message,
  optional,
  text,
  uint32,
  duration,
  bool,
  type ValueOf,
} from "../proto-json.ts";

/** A port by its number. */
export const readPortSelector = message({ number: uint32 });

/** Where requests go: a host of the catalog, one of its subsets, one of its ports. */
export const readDestination = message({ host: text, subset: text, port: optional(readPortSelector) });
/** Istio's `Destination`. */
export type Destination = ValueOf<typeof readDestination>;

/** Workloads by labels, as networking objects name them (`labels`). */
export const readWorkloadSelector = message({ labels: mapOf(text) });

/** Workloads by labels, as newer objects name them (`matchLabels`). */
export const readMatchLabels = message({ matchLabels: mapOf(text) });

/** What a policy is attached to. */
export const readTargetReference = message({ group: text, kind: text, name: text, namespace: text });
/** Istio's `PolicyTargetReference`. */
export type TargetReference = ValueOf<typeof readTargetReference>;

/** Connection pools of a destination, and of a workload's own ports. */
export const readConnectionPool = message({
  tcp: optional(
    message({
      maxConnections: int32,
      connectTimeout: optional(duration),
      tcpKeepalive: optional(message({ probes: uint32, time: optional(duration), interval: optional(duration) })),
      maxConnectionDuration: optional(duration),
      idleTimeout: optional(duration),
    }),
  ),
  http: optional(
    message({
      http1MaxPendingRequests: int32,
      http2MaxRequests: int32,
      maxRequestsPerConnection: int32,
      maxRetries: int32,
      idleTimeout: optional(duration),
      h2UpgradePolicy: enumOf("DEFAULT", "DO_NOT_UPGRADE", "UPGRADE"),
      useClientProtocol: bool,
      maxConcurrentStreams: int32,
      http2KeepAlive: optional(message({ interval: optional(duration), timeout: optional(duration) })),
    }),
  ),
});
/** Istio's `ConnectionPoolSettings`. */
export type ConnectionPool = ValueOf<typeof readConnectionPool>;

/** TLS that a gateway or an ingress listener ends. */
export const readServerTls = message({
  httpsRedirect: bool,
  mode: enumOf("PASSTHROUGH", "SIMPLE", "MUTUAL", "AUTO_PASSTHROUGH", "ISTIO_MUTUAL", "OPTIONAL_MUTUAL"),
  serverCertificate: text,
  privateKey: text,
  caCertificates: text,
  caCrl: text,
  credentialName: text,
  credentialNames: listOf(text),
  caCertCredentialName: text,
  tlsCertificates: listOf(message({ serverCertificate: text, privateKey: text, caCertificates: text })),
  subjectAltNames: listOf(text),
  verifyCertificateSpki: listOf(text),
  verifyCertificateHash: listOf(text),
  minProtocolVersion: enumOf("TLS_AUTO", "TLSV1_0", "TLSV1_1", "TLSV1_2", "TLSV1_3"),
  maxProtocolVersion: enumOf("TLS_AUTO", "TLSV1_0", "TLSV1_1", "TLSV1_2", "TLSV1_3"),
  cipherSuites: listOf(text),
  insecureSkipVerify: optional(bool),
});
/** Istio's `ServerTLSSettings`. */
export type ServerTls = ValueOf<typeof readServerTls>;
