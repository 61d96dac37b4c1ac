import { z } from "zod";

const port = z.int().min(0).max(65535);
const duration = z
  .string()
  .regex(/^(\d+(\.\d+)?(ms|us|ns|s|m|h))+$/, 'must be a duration such as "10s", "250ms" or "1m30s"');

/** The fields of Istio's MeshConfig that have an effect here, with Istio's names. */
export const meshSchema = z
  .strictObject({
    proxyHttpPort: port
      .exactOptional()
      .describe("Port of one HTTP listener on loopback for all HTTP services; 0 is none."),
    proxyListenPort: port.exactOptional().describe("Where captured outbound traffic arrives. Default 15001."),
    proxyInboundListenPort: port.exactOptional().describe("Where captured inbound traffic arrives. Default 15006."),
    connectTimeout: duration.exactOptional().describe("Time a connection to an endpoint may take. Default 10s."),
    protocolDetectionTimeout: duration
      .exactOptional()
      .describe("How long a listener looks for the protocol of a connection. Default 0s: without limit."),
    outboundTrafficPolicy: z
      .strictObject({
        mode: z
          .enum(["ALLOW_ANY", "REGISTRY_ONLY"])
          .exactOptional()
          .describe("Whether sidecars let calls to unknown destinations through. Default ALLOW_ANY."),
      })
      .exactOptional()
      .describe("What happens to calls to unknown destinations."),
    defaultHttpRetryPolicy: z
      .strictObject({
        attempts: z.int().min(0).max(100).exactOptional().describe("Retries of one request. Default 2."),
        retryOn: z.string().exactOptional().describe("Envoy's retry conditions, separated by commas."),
        perTryTimeout: duration.exactOptional().describe("Time of one try. Default: no limit."),
        retryRemoteLocalities: z
          .boolean()
          .exactOptional()
          .describe("Whether retries go to endpoints of other localities too. Default false."),
        retryIgnorePreviousHosts: z
          .boolean()
          .exactOptional()
          .describe("Whether retries leave out endpoints that were tried. Default true."),
        backoff: duration.exactOptional().describe("Least time between tries. Default: Envoy's."),
      })
      .exactOptional()
      .describe("Retries where no rule says otherwise."),
    dnsRefreshRate: duration.exactOptional().describe("How often proxies resolve names of DNS services. Default 60s."),
    tcpKeepalive: z
      .strictObject({
        probes: z
          .int()
          .min(0)
          .max(0xffff_ffff)
          .exactOptional()
          .describe("Probes without an answer until a connection is lost. Default: the system's."),
        time: duration.exactOptional().describe("Idle time until the first probe. Default: the system's."),
        interval: duration.exactOptional().describe("Time between probes. Default: the system's."),
      })
      .exactOptional()
      .describe("TCP keepalive of connections to endpoints. Default: none."),
    h2UpgradePolicy: z
      .enum(["DO_NOT_UPGRADE", "UPGRADE"])
      .exactOptional()
      .describe("Whether proxies speak HTTP/2 to the endpoints of HTTP ports. Default DO_NOT_UPGRADE."),
    localityLbSetting: z
      .strictObject({
        enabled: z.boolean().exactOptional().describe("Whether the place of a client has a part in it. Default true."),
        distribute: z
          .array(
            z.strictObject({
              from: z.string().describe("Where clients are: region/zone/subzone; * stands for all."),
              to: z.record(z.string(), z.int().min(0).max(100)).describe("Percent of their calls for each locality."),
            }),
          )
          .exactOptional()
          .describe("Shares of calls by locality."),
        failover: z
          .array(
            z.strictObject({
              from: z.string().describe("Region of clients."),
              to: z.string().describe("Region that they turn to when their own has no healthy endpoints."),
            }),
          )
          .exactOptional()
          .describe("Regions to fail over to. Needs outlier detection in a DestinationRule."),
        failoverPriority: z
          .array(z.string())
          .exactOptional()
          .describe(
            "Labels in whose order endpoints that agree with the client are preferred. Needs outlier detection.",
          ),
      })
      .exactOptional()
      .describe("Where calls go by where the client is, where no DestinationRule says otherwise."),
    rootNamespace: z
      .string()
      .min(1)
      .exactOptional()
      .describe("Namespace whose rules are for all namespaces. Default istio-system."),
  })
  .describe("Istio's MeshConfig, as far as it has an effect here.");
