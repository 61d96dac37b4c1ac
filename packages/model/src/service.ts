import type { RegistryId } from "./keys.ts";

/** Application protocol of a port. Names are Istio's (`pkg/config/protocol`); `UNSUPPORTED` means: detect it from the traffic. */
export type Protocol =
  | "HTTP"
  | "HTTP2"
  | "GRPC"
  | "GRPC-WEB"
  | "HTTPS"
  | "TLS"
  | "TCP"
  | "UDP"
  | "MONGO"
  | "MYSQL"
  | "REDIS"
  | "UNSUPPORTED";

/** How a proxy finds the endpoints of a service. The first five are ServiceEntry's; `ALIAS` is a Kubernetes ExternalName. */
export type Resolution = "STATIC" | "DNS" | "DNS_ROUND_ROBIN" | "DYNAMIC_DNS" | "NONE" | "ALIAS";

/** Health of one endpoint, as Envoy's `HealthStatus` can say it; `TERMINATING` is Kubernetes' serving-while-terminating. */
export type HealthStatus = "HEALTHY" | "DEGRADED" | "UNHEALTHY" | "DRAINING" | "TERMINATING" | "UNKNOWN";

/** Key-value pairs. Keys such as `__proto__` are data: read with `Object.hasOwn` or `Object.entries`. */
export type Labels = Readonly<Record<string, string>>;

/** One port of a service: `name` is unique within the service, `number` is 1..65535. */
export interface Port {
  readonly name: string;
  readonly number: number;
  readonly protocol: Protocol;
  /** Where selected workloads and pass-through traffic listen (ServiceEntry's `targetPort`); absent means `number`. */
  readonly targetPort?: number;
}

/** Where an endpoint runs. A part that is not known is the empty string. */
export interface Locality {
  readonly region: string;
  readonly zone: string;
  readonly subzone: string;
}

/** Where a fact came from: shown by debug and explain, never read by the translator, never part of a content hash. */
export interface Provenance {
  readonly registry: RegistryId;
  /** Name in the source's own terms: `Service default/web`, `APP WEB`, `web.yaml#/services/0`. */
  readonly object: string;
  /** The source's own opaque version (resourceVersion, X-Consul-Index, apps__hashcode, content hash). */
  readonly sourceVersion?: string;
}

/** A service: what clients call, by hostname. */
export interface Service {
  readonly hostname: string;
  readonly namespace: string;
  readonly ports: readonly Port[];
  readonly resolution: Resolution;
  /** Virtual addresses (IP or CIDR); empty for headless. */
  readonly addresses: readonly string[];
  readonly labels: Labels;
  readonly meshExternal: boolean;
  /** Namespaces that see the service: `*`, `.` (its own) or names. Empty means everywhere, as in Istio. */
  readonly exportTo: readonly string[];
  /** Workloads with these labels in the service's namespace are its instances (ServiceEntry's `workloadSelector`). */
  readonly workloadSelector?: Labels;
  /** Identities (SPIFFE ids or certificate names) that the service's instances may present. */
  readonly serviceAccounts: readonly string[];
  /** Epoch milliseconds; decides conflicts, as in Istio. */
  readonly createdAt?: number;
  readonly provenance: Provenance;
}

/** Where an endpoint listens. */
export type Address =
  | { readonly type: "ip"; readonly ip: string; readonly port: number }
  | { readonly type: "hostname"; readonly hostname: string; readonly port: number }
  | { readonly type: "unix"; readonly path: string };

/** One service port of one instance, as its registry knows it. */
export interface ServiceInstance {
  /** Unique within (service, registry), stable over restarts of either side. */
  readonly id: string;
  /** Name of the service port that this endpoint serves. */
  readonly servicePort: string;
  /** First is primary; the rest are Envoy `additional_addresses` (dual stack). */
  readonly addresses: readonly [Address, ...Address[]];
  readonly labels: Labels;
  readonly locality: Locality;
  readonly network: string;
  readonly serviceAccount: string;
  /**
   * What the endpoint expects at its port: `istio` is mutual TLS between proxies; `simple` is TLS that callers begin themselves and
   * proxies pass through, so the service port is none that is read as HTTP. It describes the endpoint: no TLS is begun because of it.
   */
  readonly tls: "disabled" | "istio" | "simple";
  readonly healthStatus: HealthStatus;
  /** As the source gave it, an integer of at least 0; 1 where it gave none. */
  readonly weight: number;
  /** Epoch milliseconds. */
  readonly registeredAt?: number;
  readonly provenance: Provenance;
}

/** Everything one registry knows about one service: the unit of change through the whole pipeline. */
export interface ServiceRecord {
  readonly service: Service;
  readonly instances: readonly ServiceInstance[];
}
