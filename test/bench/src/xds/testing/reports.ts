import type { LoadReport, Sample, TypeCount } from "../load-report.ts";
import type { ServerStats } from "../product/messages.ts";
import type { SceneReport } from "../run-scene.ts";

/** A sample of a server that has used so much CPU time, in seconds. */
export function sample(cpu_s: number, server?: Partial<ServerStats>, at_s = 0): Sample {
  return {
    rss_mib: 100,
    cpu_s,
    at_s,
    client_cpu_s: 0,
    ...(server && { server: { heap_bytes: 0, external_bytes: 0, ...server } }),
  };
}

/** The counts of one resource type. */
export function counted(resources: number): TypeCount {
  return { responses: resources, resources, bytes: 10 * resources };
}

/** What ten clients saw that were in sync after 2 s with 5 MB in all, which took the server 1 s. */
export function report(more: Partial<LoadReport> = {}): LoadReport {
  return {
    clients: 10,
    sync: { all_clients_s: 2, payload_bytes: 5e6, clients_with_vhds: 0, types: {} },
    samples: { before: sample(3), in_sync: sample(4), settled: sample(4.5) },
    ...more,
  };
}

/** The same with four changes, of which two resources each reached everybody after 5 ms. */
export function changed(more: Partial<NonNullable<LoadReport["propagation"]>> = {}): SceneReport {
  const latency = { n: 40, p50_ms: 5, p99_ms: 9, max_ms: 9 };
  const propagation = {
    changes: 4,
    client_changes_missed: 0,
    latency_from_trigger_start: latency,
    payload_bytes_per_change_and_client: 500,
    server_cpu_ms_per_change: 12,
    types_all_changes: { eds: counted(80) },
    ...more,
  };
  return { report: report({ propagation }) };
}
