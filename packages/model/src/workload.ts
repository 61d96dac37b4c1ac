import type { WorkloadKey } from "./keys.ts";
import type { Labels, Locality, Provenance } from "./service.ts";

/** What runs where: a pod, a VM. Truth for drift checks, labels and locality of proxies. */
export interface Workload {
  readonly key: WorkloadKey;
  readonly addresses: readonly string[];
  readonly hostNetwork: boolean;
  readonly ports: readonly number[];
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
