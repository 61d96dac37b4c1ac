import type { Protocol } from "@signalbox/model";

/** How a port's protocol is served. `sniffed` is Istio's detection: HTTP if it looks like it, bytes otherwise. */
export type PortKind = "http" | "tls" | "tcp" | "sniffed" | "none";

/** The kind of a protocol; UDP gets nothing, as in Istio. */
export function portKind(protocol: Protocol): PortKind {
  switch (protocol) {
    case "HTTP":
    case "HTTP2":
    case "GRPC":
    case "GRPC-WEB":
      return "http";
    case "HTTPS":
    case "TLS":
      return "tls";
    case "UNSUPPORTED":
      return "sniffed";
    case "UDP":
      return "none";
    case "TCP":
    case "MONGO":
    case "MYSQL":
    case "REDIS":
      return "tcp";
  }
}
