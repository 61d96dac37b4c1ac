import type { ConfigObject, Labels } from "@signalbox/model";

/** One instance of a service, as far as rules can name it. */
export interface AnalyzedInstance {
  readonly labels: Labels;
  /** Where it listens. */
  readonly ports: readonly number[];
}

/** A service that rules can name. */
export interface AnalyzedService {
  /** A whole name, or a wildcard. */
  readonly hostname: string;
  readonly namespace: string;
  /** Namespaces that see it, as in the model. */
  readonly exportTo: readonly string[];
  readonly ports: readonly number[];
  readonly instances: readonly AnalyzedInstance[];
}

/** A workload that selectors can choose. */
export interface AnalyzedWorkload {
  readonly name: string;
  readonly namespace: string;
  readonly labels: Labels;
}

/** What is analyzed together. */
export interface AnalysisInput {
  /** Objects of all kinds; those that cannot be read are left to whoever checks single objects. */
  readonly objects: Iterable<ConfigObject>;
  readonly services: Iterable<AnalyzedService>;
  readonly workloads: Iterable<AnalyzedWorkload>;
  /** How short names end; `cluster.local` where absent. */
  readonly domain?: string;
}
