import type { RegistryId } from "@signalbox/model";
import type { Pattern } from "../patterns.ts";

/** What is checked against which workloads. */
export interface DriftOptions {
  /** The registries whose workloads are the truth, each for the addresses that its workloads have. */
  readonly clusters: readonly DriftCluster[];
  /** The registries whose endpoints are checked, `eureka/*`. Those of `clusters` never are. */
  readonly checked: readonly Pattern[];
  /** How long an address must have no workload before an endpoint there is a ghost, if none was ever seen. Default 15,000. */
  readonly ghostAfterMs?: number;
  /** How far apart the clocks of the registries may be. Default 5,000. */
  readonly skewMs?: number;
  /** The labels of a workload that name its service. Default `app.kubernetes.io/name`, `app`. */
  readonly serviceLabels?: readonly string[];
  /** The labels of an endpoint that name its workload, the first that is there counts. Default `podName`, `pod-name`, `POD_NAME`. */
  readonly workloadNameLabels?: readonly string[];
}

/** A registry whose workloads are the truth for some addresses. */
export interface DriftCluster {
  readonly registry: RegistryId;
  /** The ranges from which its workloads get their addresses. About any other address it says nothing. */
  readonly podCidrs: readonly string[];
}

/** What holds where the options say nothing. */
export const driftDefaults = {
  ghostAfterMs: 15_000,
  skewMs: 5000,
  serviceLabels: ["app.kubernetes.io/name", "app"],
  workloadNameLabels: ["podName", "pod-name", "POD_NAME"],
} as const satisfies Partial<DriftOptions>;
