import type { WorkloadKey } from "./keys.ts";
import type { Labels, Locality, Provenance, ServiceInstance } from "./service.ts";

/** What runs where: a pod, a VM. Truth for drift checks, labels and locality of proxies. */
export interface Workload {
  readonly key: WorkloadKey;
  /** IP addresses; for a WorkloadEntry also a hostname or `unix://<path>`. */
  readonly addresses: readonly string[];
  readonly hostNetwork: boolean;
  readonly ports: readonly number[];
  /** Where this workload serves the service port of that name (WorkloadEntry's `ports`); wins over the service's own ports. */
  readonly namedPorts?: Readonly<Record<string, number>>;
  /** Load-balancing weight of the instances that a workload selector makes of it, an integer of at least 0; 1 where absent. */
  readonly weight?: number;
  /** How the instances that a workload selector makes of it are reached; `disabled` where absent. */
  readonly tls?: ServiceInstance["tls"];
  readonly phase: "PENDING" | "READY" | "NOT_READY" | "TERMINATING" | "FAILED";
  readonly labels: Labels;
  readonly owner: string;
  readonly serviceAccount: string;
  readonly node: string;
  readonly locality: Locality;
  readonly network: string;
  /** Epoch milliseconds. */
  readonly startedAt?: number;
  readonly provenance: Provenance;
}

/** An Istio object as its source gave it (VirtualService, Gateway, EnvoyFilter, …); `@signalbox/istio-objects` parses `spec`. */
export interface ConfigObject {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly labels: Labels;
  readonly annotations: Labels;
  /** Epoch milliseconds. */
  readonly createdAt?: number;
  readonly spec: unknown;
  readonly provenance: Provenance;
}
