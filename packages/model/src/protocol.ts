import type { Protocol } from "./service.ts";

/** The names that Istio knows (`pkg/config/protocol`), without its `http_proxy`, which only egress listeners may use. */
const named: ReadonlyMap<string, Protocol> = new Map<string, Protocol>([
  ["grpc", "GRPC"],
  ["grpc-web", "GRPC-WEB"],
  ["http", "HTTP"],
  ["http2", "HTTP2"],
  ["https", "HTTPS"],
  ["mongo", "MONGO"],
  ["mysql", "MYSQL"],
  ["redis", "REDIS"],
  ["tcp", "TCP"],
  ["tls", "TLS"],
  ["udp", "UDP"],
]);

/** What Kubernetes itself defines for `appProtocol`. */
const kubernetesNames: ReadonlyMap<string, Protocol> = new Map<string, Protocol>([
  ["kubernetes.io/h2c", "HTTP2"],
  ["kubernetes.io/ws", "HTTP"],
  ["kubernetes.io/wss", "HTTPS"],
]);

/** SMTP, DNS, MySQL, MongoDB: the server speaks first, or breaks when a proxy waits to see what the client says. */
const neverDetected: ReadonlySet<number> = new Set([25, 53, 3306, 27017]);

/**
 * Reads a protocol as users write it, without regard to case: Istio's names, and `h2c` for HTTP2.
 * Anything else is `UNSUPPORTED`, which means: detect it from the traffic.
 */
export function parseProtocol(text: string): Protocol {
  const name = text.toLowerCase();
  return name === "h2c" ? "HTTP2" : (named.get(name) ?? "UNSUPPORTED");
}

/**
 * Reads the protocol from the name of a port as Istio does: all up to the first dash (`http-admin` is HTTP), after
 * `grpc-web`, which wins as a prefix. Where the name says nothing, port 25, 53, 3306 and 27017 are TCP.
 */
export function protocolFromPortName(name: string, number?: number): Protocol {
  const lower = name.toLowerCase();
  if (lower.startsWith("grpc-web")) return "GRPC-WEB";
  const protocol = named.get(lower.split("-", 1)[0] ?? "");
  if (protocol !== undefined) return protocol;
  return number !== undefined && neverDetected.has(number) ? "TCP" : "UNSUPPORTED";
}

/**
 * Reads a Kubernetes `appProtocol` as Istio does: `kubernetes.io/h2c`, `/ws` and `/wss`, and otherwise by the rule for
 * port names. It stands in place of the port's name and is never mixed with it.
 */
export function protocolFromAppProtocol(text: string, number?: number): Protocol {
  return kubernetesNames.get(text) ?? protocolFromPortName(text, number);
}

/** Whether the traffic is HTTP that a proxy can route by request: HTTP, HTTP2, GRPC, GRPC-WEB. */
export function isHttp(protocol: Protocol): boolean {
  return protocol === "HTTP" || isHttp2(protocol);
}

/** Whether endpoints are spoken to in HTTP/2: HTTP2, GRPC and, as in Istio, GRPC-WEB. */
export function isHttp2(protocol: Protocol): boolean {
  return protocol === "HTTP2" || protocol === "GRPC" || protocol === "GRPC-WEB";
}
