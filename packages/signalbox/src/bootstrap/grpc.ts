import { resolve } from "node:path";
import { hostPortText, nodeOf, type Json } from "./envoy.ts";
import type { BootstrapOptions } from "./options.ts";

/**
 * A bootstrap for proxyless gRPC clients, as `GRPC_XDS_BOOTSTRAP` names it (gRFC A27; TLS credentials gRFC A65). The node says
 * `GENERATOR: grpc`, by which the control plane knows what kind of resources to send.
 */
export function grpcBootstrap(options: Omit<BootstrapOptions, "transport" | "adminPort">): Json {
  const { fallbacks = [], tls, xds } = options;
  const credentials =
    tls === undefined
      ? { type: "insecure" }
      : {
          type: "tls",
          config: {
            ca_certificate_file: resolve(tls.ca),
            certificate_file: resolve(tls.cert),
            private_key_file: resolve(tls.key),
          },
        };
  return {
    xds_servers: [xds, ...fallbacks].map((address) => ({
      server_uri: hostPortText(address),
      channel_creds: [credentials],
      server_features: ["xds_v3"],
    })),
    // grpc-js-xds refuses a node without a locality, even an empty one.
    node: { locality: {}, ...nodeOf({ ...options, metadata: { GENERATOR: "grpc", ...options.metadata } }) },
  };
}
