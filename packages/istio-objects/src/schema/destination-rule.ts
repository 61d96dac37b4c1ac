import {
  bool,
  double,
  duration,
  enumOf,
  int32,
  listOf,
  mapOf,
  message,
  optional,
  text,
  uint32,
  uint64,
  type ValueOf,
} from "../proto-json.ts";
import { readConnectionPool, readMatchLabels, readPortSelector } from "./common.ts";

const readFailover = message({ from: text, to: text });

const readLoadBalancer = message(
  {
    simple: optional(enumOf("UNSPECIFIED", "LEAST_CONN", "RANDOM", "PASSTHROUGH", "ROUND_ROBIN", "LEAST_REQUEST")),
    consistentHash: optional(
      message(
        {
          httpHeaderName: optional(text),
          httpCookie: optional(
            message({
              name: text,
              path: text,
              ttl: optional(duration),
              attributes: listOf(message({ name: text, value: text })),
            }),
          ),
          useSourceIp: optional(bool),
          httpQueryParameterName: optional(text),
          ringHash: optional(message({ minimumRingSize: uint64 })),
          maglev: optional(message({ tableSize: uint64 })),
          minimumRingSize: uint64,
        },
        ["httpHeaderName", "httpCookie", "useSourceIp", "httpQueryParameterName"],
        ["ringHash", "maglev"],
      ),
    ),
    localityLbSetting: optional(
      message({
        distribute: listOf(message({ from: text, to: mapOf(uint32) })),
        failover: listOf(readFailover),
        failoverPriority: listOf(text),
        enabled: optional(bool),
      }),
    ),
    zoneAwareLbSetting: optional(
      message({
        enabled: optional(bool),
        failover: listOf(readFailover),
        failoverPriority: listOf(text),
        minClusterSize: optional(uint64),
      }),
    ),
    warmupDurationSecs: optional(duration),
    warmup: optional(
      message({ duration: optional(duration), minimumPercent: optional(double), aggression: optional(double) }),
    ),
  },
  ["simple", "consistentHash"],
);

const readOutlierDetection = message({
  consecutiveErrors: int32,
  splitExternalLocalOriginErrors: bool,
  consecutiveLocalOriginFailures: optional(uint32),
  consecutiveGatewayErrors: optional(uint32),
  consecutive5xxErrors: optional(uint32),
  interval: optional(duration),
  baseEjectionTime: optional(duration),
  maxEjectionPercent: int32,
  minHealthPercent: int32,
  outlierDetectionHttpErrorCodes: listOf(uint32),
});

const readClientTls = message({
  mode: enumOf("DISABLE", "SIMPLE", "MUTUAL", "ISTIO_MUTUAL"),
  clientCertificate: text,
  privateKey: text,
  caCertificates: text,
  credentialName: text,
  subjectAltNames: listOf(text),
  sni: text,
  insecureSkipVerify: optional(bool),
  caCrl: text,
});

const portFields = {
  loadBalancer: optional(readLoadBalancer),
  connectionPool: optional(readConnectionPool),
  outlierDetection: optional(readOutlierDetection),
  tls: optional(readClientTls),
};

const readTrafficPolicy = message({
  ...portFields,
  portLevelSettings: listOf(message({ port: optional(readPortSelector), ...portFields })),
  tunnel: optional(message({ protocol: text, targetHost: text, targetPort: uint32 })),
  proxyProtocol: optional(message({ version: enumOf("V1", "V2") })),
  retryBudget: optional(
    message({ percent: optional(double), minRetryConcurrency: uint32, budgetInterval: optional(duration) }),
  ),
});

const readSubset = message({ name: text, labels: mapOf(text), trafficPolicy: optional(readTrafficPolicy) });

/** Reads the fields of a DestinationRule. */
export const readDestinationRule = message({
  host: text,
  trafficPolicy: optional(readTrafficPolicy),
  subsets: listOf(readSubset),
  exportTo: listOf(text),
  workloadSelector: optional(readMatchLabels),
});

/** `spec` of a DestinationRule. Durations are milliseconds; fields have protobuf's defaults where they were absent. */
export type DestinationRule = ValueOf<typeof readDestinationRule>;
/** What a DestinationRule says of connections, for a host, a subset or (without the last four members) a port. */
export type TrafficPolicy = ValueOf<typeof readTrafficPolicy>;
/** One subset of a host's endpoints. */
export type Subset = ValueOf<typeof readSubset>;
/** How endpoints are chosen. */
export type LoadBalancer = ValueOf<typeof readLoadBalancer>;
/** When endpoints are ejected. */
export type OutlierDetection = ValueOf<typeof readOutlierDetection>;
/** TLS that a client begins. */
export type ClientTls = ValueOf<typeof readClientTls>;
