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
      })
      .exactOptional()
      .describe("Retries where no rule says otherwise."),
    dnsRefreshRate: duration.exactOptional().describe("How often proxies resolve names of DNS services. Default 60s."),
  })
  .describe("Istio's MeshConfig, as far as it has an effect here.");
