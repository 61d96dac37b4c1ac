import type { FigureName } from "./cell.ts";
import type { LoadReport, Sample, TypeCount } from "./load-report.ts";
import type { LoopStats, ServerStats } from "./product/messages.ts";
import type { SceneReport } from "./run-scene.ts";

/** The unit of each figure, and how it follows from what the clients saw; undefined where the scene does not say. */
interface Recipe {
  readonly unit: string;
  readonly of: (seen: SceneReport) => number | undefined;
}

const mega = 1e6;
const kilo = 1e3;

const recipes: Readonly<Record<FigureName, Recipe>> = {
  "sync, all clients": { unit: "ms", of: ({ report }) => report.sync.all_clients_s * 1000 },
  "sync, CPU": { unit: "ms", of: ({ report }) => syncCpuMs(report) },
  "sync, CPU per MB": { unit: "ms", of: ({ report }) => syncCpuMs(report) / (report.sync.payload_bytes / mega) },
  "sync, bytes per client": { unit: "kB", of: ({ report }) => report.sync.payload_bytes / report.clients / kilo },
  "change to client, p50": { unit: "ms", of: ({ report }) => latencyOf(report)?.p50_ms },
  "change to client, p99": { unit: "ms", of: ({ report }) => latencyOf(report)?.p99_ms },
  "change to client, lost": {
    unit: "",
    of: ({ report: { churn, propagation } }) => churn?.lost ?? propagation?.client_changes_missed,
  },
  "CPU per change": {
    unit: "ms",
    of: ({ report: { churn, propagation } }) =>
      churn?.server_cpu_ms_per_change ?? propagation?.server_cpu_ms_per_change,
  },
  "bytes per change and client": {
    unit: "B",
    of: ({ report: { churn, clients, propagation } }) =>
      churn === undefined
        ? propagation?.payload_bytes_per_change_and_client
        : churn.payload_bytes / churn.changes / clients,
  },
  "newest value at all after": {
    unit: "ms",
    of: ({ report: { churn } }) => churn && churn.drain_s * 1000,
  },
  "resume, last response": { unit: "ms", of: ({ report: { resume } }) => resume && resume.last_response_s * 1000 },
  "resume, CPU": { unit: "ms", of: ({ report: { resume } }) => resume && resume.server_cpu_s * 1000 },
  "resume, bytes per client": {
    unit: "B",
    of: ({ report: { clients, resume } }) => resume && resume.payload_bytes / clients,
  },
  "live heap per connection": { unit: "kB", of: heapPerConnection },
  "resident memory": { unit: "MiB", of: ({ report }) => lastSample(report).rss_mib },
  "event loop delay, p50": { unit: "ms", of: ({ report }) => lastSample(report).server?.loop?.p50 },
  "event loop delay, p99": { unit: "ms", of: ({ report }) => lastSample(report).server?.loop?.p99 },
  "event loop delay, longest": { unit: "ms", of: ({ report }) => longestOf(report, ({ max }) => max) },
  "longest slice, start": { unit: "ms", of: ({ report: { samples } }) => samples.before?.server?.loop?.slice },
  "longest slice, clients come": { unit: "ms", of: ({ report: { samples } }) => samples.settled?.server?.loop?.slice },
  "longest slice, changes": {
    unit: "ms",
    of: ({ report: { samples } }) => (samples.after_churn ?? samples.after_changes)?.server?.loop?.slice,
  },
  "longest slice, clients go": { unit: "ms", of: ({ report: { samples } }) => samples.gone?.server?.loop?.slice },
  "longest slice, product's functions": { unit: "ms", of: ({ report }) => longestOf(report, ({ own }) => own) },
  "start until ready": { unit: "ms", of: ({ readyMs }) => readyMs },
  "start until first client has all": {
    unit: "ms",
    of: ({ readyMs, report }) => readyMs && readyMs + report.sync.all_clients_s * 1000,
  },
  "resident memory after start": { unit: "MiB", of: ({ report }) => report.samples.before?.rss_mib },
  "CPU when idle": { unit: "% of a core", of: ({ report }) => idleShare(report) },
  "clients with VHDS": { unit: "", of: ({ report }) => report.sync.clients_with_vhds },
  "clusters sent per change": sent("cds"),
  "assignments sent per change": sent("eds"),
  "listeners sent per change": sent("lds"),
  "route tables sent per change": sent("rds"),
  "virtual hosts sent per change": sent("vhds"),
};

/** A figure of one scene. Throws a RangeError where the scene does not have it: a cell asks for what cannot be there. */
export function figureOf(name: FigureName, seen: SceneReport): number {
  const value = recipes[name].of(seen);
  if (value === undefined || !Number.isFinite(value)) throw new RangeError(`the scene has no ${JSON.stringify(name)}`);
  return value;
}

/** In what a figure is counted. */
export function unitOf(name: FigureName): string {
  return recipes[name].unit;
}

function latencyOf({ churn, propagation }: LoadReport) {
  return churn?.latency ?? propagation?.latency_from_trigger_start ?? undefined;
}

/** The server's CPU time until all clients were in sync. */
function syncCpuMs({ samples: { before, in_sync } }: LoadReport): number {
  if (before === undefined || in_sync === undefined) throw new RangeError("the report has no samples");
  return (in_sync.cpu_s - before.cpu_s) * 1000;
}

function lastSample({ samples }: LoadReport): Sample {
  const sample = samples.after_churn ?? samples.after_changes ?? samples.settled;
  if (sample === undefined) throw new RangeError("the report has no samples");
  return sample;
}

/** The share of a core that was used while nothing happened, in percent. */
function idleShare({ samples: { after_changes, after_churn, after_hold, settled } }: LoadReport): number | undefined {
  const from = after_churn ?? after_changes ?? settled;
  if (from === undefined || after_hold === undefined) return undefined;
  return (100 * (after_hold.cpu_s - from.cpu_s)) / (after_hold.at_s - from.at_s);
}

/** The longest of all: while clients came, while they were there, and while they went. */
function longestOf({ samples }: LoadReport, timeOf: (loop: LoopStats) => number): number | undefined {
  const found = [samples.settled, samples.after_changes, samples.after_churn, samples.gone].flatMap((sample) =>
    sample?.server?.loop === undefined ? [] : [timeOf(sample.server.loop)],
  );
  return found.length === 0 ? undefined : Math.max(...found);
}

/** What more clients hold, for each of them. */
function heapPerConnection({ before, report }: SceneReport): number | undefined {
  const few = before?.samples.settled?.server;
  const many = report.samples.settled?.server;
  if (before === undefined) return undefined;
  return (liveBytes(many) - liveBytes(few)) / (report.clients - before.clients) / kilo;
}

/** Not a number where the server does not say it. */
function liveBytes(stats: ServerStats | undefined): number {
  return (stats?.heap_bytes ?? Number.NaN) + (stats?.external_bytes ?? Number.NaN);
}

function sent(type: string): Recipe {
  const per = (types: Readonly<Record<string, TypeCount>>, changes: number) => (types[type]?.resources ?? 0) / changes;
  return {
    unit: "",
    of: ({ report: { churn, propagation } }) => {
      if (churn !== undefined) return per(churn.types, churn.changes);
      return propagation && per(propagation.types_all_changes, propagation.changes);
    },
  };
}
