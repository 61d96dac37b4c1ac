import type { ServerStats } from "./product/messages.ts";

/** Milliseconds of many samples. */
export interface Spread {
  readonly n: number;
  readonly p50_ms: number;
  readonly p99_ms: number;
  readonly max_ms: number;
}

/** What was received of one resource type. */
export interface TypeCount {
  readonly responses: number;
  readonly resources: number;
  readonly bytes: number;
}

/** The server's process at one moment, and the client's. */
export interface Sample {
  readonly rss_mib: number;
  readonly cpu_s: number;
  /** Seconds after the first connection. */
  readonly at_s: number;
  readonly client_cpu_s: number;
  readonly server?: ServerStats;
}

type Counts = Readonly<Record<string, TypeCount>>;

/** What the load client prints. */
export interface LoadReport {
  readonly clients: number;
  readonly error?: string;
  readonly sync: {
    readonly all_clients_s: number;
    readonly payload_bytes: number;
    readonly clients_with_vhds: number;
    readonly types: Counts;
  };
  /** Changes one by one. */
  readonly propagation?: {
    readonly changes: number;
    readonly client_changes_missed: number;
    readonly latency_from_trigger_start: Spread | null;
    readonly payload_bytes_per_change_and_client: number;
    readonly server_cpu_ms_per_change: number;
    readonly types_all_changes: Counts;
  };
  readonly churn?: {
    readonly changes: number;
    readonly changes_per_s: number;
    readonly lost: number;
    readonly latency: Spread | null;
    readonly slow_latency?: Spread | null;
    readonly drain_s: number;
    readonly payload_bytes: number;
    readonly server_cpu_ms_per_change: number;
    readonly types: Counts;
  };
  /** All clients came to another server with what they held. */
  readonly resume?: {
    readonly last_response_s: number;
    readonly payload_bytes: number;
    readonly server_cpu_s: number;
  };
  readonly samples: Readonly<
    Partial<Record<"before" | "in_sync" | "settled" | "after_changes" | "after_churn" | "after_hold" | "gone", Sample>>
  >;
}

/** Thrown when the load client could not do what it was told. */
export class LoadFailedError extends Error {
  readonly code = "SBX_BENCH_LOAD";

  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "LoadFailedError";
  }
}

/** Reads what the load client printed. Throws a LoadFailedError where the run failed. */
export function parseReport(text: string): LoadReport {
  let report: LoadReport;
  try {
    report = JSON.parse(text) as LoadReport;
  } catch (cause) {
    throw new LoadFailedError(`the load client printed no report: ${text.slice(0, 200)}`, { cause });
  }
  if (report.error !== undefined) throw new LoadFailedError(report.error);
  return report;
}
