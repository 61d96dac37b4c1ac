import type { HealthStatus } from "@signalbox/model";

/**
 * How well an endpoint can take traffic. `full`: it takes all that comes. `fallback`: only what no other can take. `none`: nothing.
 *
 * As Envoy does it: `HEALTHY` and `UNKNOWN` are full. `DEGRADED` is fallback: Envoy gives such an endpoint only what the healthy ones, also
 * those of later priorities, cannot take, and proxyless gRPC clients leave it out. The others take no new requests (Envoy's panic mode, which
 * would give them some, is off). An endpoint of weight 0 takes none either, whatever its health.
 */
export type Eligibility = "full" | "fallback" | "none";

/** How well an endpoint of that health and weight can take traffic. */
export function eligibility(endpoint: { readonly healthStatus: HealthStatus; readonly weight: number }): Eligibility {
  if (!(endpoint.weight > 0)) return "none";
  switch (endpoint.healthStatus) {
    case "HEALTHY":
    case "UNKNOWN":
      return "full";
    case "DEGRADED":
      return "fallback";
    case "UNHEALTHY":
    case "DRAINING":
    case "TERMINATING":
      return "none";
  }
}
