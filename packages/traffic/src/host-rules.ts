import type { HttpRoute, Subset, TcpRoute, TlsRoute, TrafficPolicy } from "@signalbox/istio-objects";
import type { Labels, Locality } from "@signalbox/model";

/** The rules of one VirtualService that hold for one kind of client: hosts are whole names, delegates are put in, other sources' rules are left out. */
export interface Routing {
  readonly namespace: string;
  readonly name: string;
  /** Whole host names and wildcards, in the order of the object. */
  readonly hosts: readonly string[];
  readonly http: readonly HttpRoute[];
  readonly tls: readonly TlsRoute[];
  readonly tcp: readonly TcpRoute[];
  /** All hosts that rules send or mirror to, whole names, sorted. */
  readonly destinations: readonly string[];
  /** Equal text, equal rules. */
  readonly version: string;
}

/** What all DestinationRules that hold for a host and a client say together. */
export interface DestinationPolicy {
  /** `<namespace>/<name>` of each object that has a part in it, the first one first. */
  readonly objects: readonly string[];
  readonly namespace: string;
  readonly trafficPolicy: TrafficPolicy | undefined;
  readonly subsets: readonly Subset[];
  /** Where the client is, if what it gets depends on that (locality load balancing). */
  readonly locality: Locality | undefined;
  /** Those of the client's labels that order failover (`failoverPriority`), if some do. */
  readonly labels: Labels | undefined;
  /** Equal text, equal policy. */
  readonly version: string;
}

/** The rules of one host for one kind of client. */
export interface HostRules {
  readonly routing: Routing | undefined;
  readonly destination: DestinationPolicy | undefined;
}

/** What holds for one port of a host or of one of its subsets: Istio's `PortTrafficPolicy`, with the members that only whole hosts have. */
export type PortPolicy = Omit<TrafficPolicy, "portLevelSettings">;
