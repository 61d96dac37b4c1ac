import { setTimeout as delay } from "node:timers/promises";
import type { Fleet } from "./fleet.ts";
import { MeasuredProcess } from "./measured-process.ts";
import type { Synced } from "./messages.ts";
import { ProxyClient } from "./proxy-client.ts";
import { compared, type Row } from "./row.ts";
import type { BenchSource, Variant } from "./sources/source.ts";
import { quantile } from "./statistics.ts";
import { timeChanges, type TimedChange } from "./timed-changes.ts";

/** One adapter before one fleet. */
export interface Setting {
  readonly source: BenchSource;
  readonly variant: Variant;
  readonly fleet: Fleet;
  /** How many services are in the source. */
  readonly services: number;
  readonly signal: AbortSignal;
}

const mebibyte = 1024 * 1024;
/** Polls without the adapter that are timed. */
const mostBareReads = 20;
/** After the first read, everybody gets to the wait for news. */
const calmMs = 3000;
/** So long the proxy may take to have everything. */
const clientMs = 60_000;

/** From a change in the source to the event. */
export async function measureChanges(setting: Setting, numbers: readonly number[]): Promise<readonly Row[]> {
  const { process: measured, synced } = await startAdapter(setting);
  try {
    checkComplete(setting, synced);
    await delay(calmMs, undefined, { signal: setting.signal });
    return await changesOf(setting, measured, numbers);
  } finally {
    await measured.end();
  }
}

/** From a change in the source to a proxy that has all services. Nothing of a source that is polled: there the wait for the poll is nearly all of it. */
export async function measureClient(setting: Setting, numbers: readonly number[]): Promise<readonly Row[]> {
  const { fleet, services, signal, source, variant } = setting;
  if (source.follower.type === "poll") return [];
  const { process: measured, synced } = await startAdapter(setting, true);
  const client = new ProxyClient(synced.port ?? 0, 0);
  try {
    checkComplete(setting, synced);
    await client.complete(AbortSignal.any([signal, AbortSignal.timeout(clientMs)]));
    await delay(calmMs, undefined, { signal });
    const changes = await timeChanges({
      ...{ source, measured, fleet, services, signal, numbers, client },
      pattern: variant.changes,
    });
    const row = rowOf(setting);
    const total = changes.flatMap(({ clientAt, sentAt }) => (clientAt === undefined ? [] : clientAt - sentAt));
    const shares = [0.5, 0.99] as const;
    return shares.map((share) => row(`change to proxy, p${share * 100}`, "ms", quantile(total, share)));
  } finally {
    client.end();
    await measured.end();
  }
}

/** First sync, memory, quiet time and changes of a fleet. */
export async function measureFleet(
  setting: Setting,
  { quietSeconds, numbers }: { readonly quietSeconds: number; readonly numbers: readonly number[] },
): Promise<readonly Row[]> {
  const { fleet, signal, source, variant } = setting;
  const bare = await MeasuredProcess.bare({ source: source.name, access: source.access }, signal);
  const { process: measured, synced } = await startAdapter(setting);
  try {
    checkComplete(setting, synced);
    const limits = variant.hasTargets;
    const row = rowOf(setting);
    await delay(calmMs, undefined, { signal });
    const before = await measured.cpu(signal);
    await delay(quietSeconds * 1000, undefined, { signal });
    const after = await measured.cpu(signal);
    // Not before: by now every connection is open and waits.
    const heap = await measured.heap(signal);
    const quiet = (after.ms - before.ms) / (after.at - before.at);
    const hour = quiet + (variant.rereadsPerHour * synced.cpuMs) / 3_600_000;
    return [
      compared({ ...row("first sync", "ms", synced.ms, limits ? 5000 : undefined), bare: bare.ms }),
      compared({ ...row("first sync, CPU time", "ms", synced.cpuMs), bare: bare.cpuMs }),
      row("heap", "MiB", heap.used / mebibyte, limits ? 150 : undefined),
      row("heap before the adapter began", "MiB", heap.before / mebibyte),
      row("buffers outside the heap", "MiB", heap.external / mebibyte),
      row("resident memory", "MiB", heap.rss / mebibyte),
      row("CPU in a quiet time", "% of a core", quiet * 100),
      row("CPU in a quiet hour, full reads included", "% of a core", hour * 100),
      ...(await changesOf({ ...setting, services: fleet.size.services }, measured, numbers)),
    ];
  } finally {
    await measured.end();
  }
}

function startAdapter({ signal, source, variant }: Setting, serve = false) {
  return MeasuredProcess.adapter({ source: source.name, config: variant.config, serve }, signal);
}

/** A figure about half a fleet would say nothing. */
function checkComplete({ fleet, services, source }: Setting, synced: Synced): void {
  const instances = services * fleet.size.instances;
  // A Kubernetes API server has a service of its own, without instances here.
  if (synced.services >= services && synced.instances === instances) return;
  throw new Error(
    `${source.name}: ${services} services with ${instances} instances are there, ` +
      `but the catalog began with ${synced.services} and ${synced.instances}`,
  );
}

async function changesOf(
  setting: Setting,
  measured: MeasuredProcess,
  numbers: readonly number[],
): Promise<readonly Row[]> {
  const { fleet, services, signal, source, variant } = setting;
  const some = numbers.slice(0, Math.max(1, Math.round(numbers.length * variant.changesShare)));
  const changes = await timeChanges({
    ...{ source, measured, fleet, services, signal },
    pattern: variant.changes,
    numbers: some,
  });
  if (variant.changes.type === "one-by-one") return waitedRows(setting, changes);
  if (source.follower.type === "poll") return polledRows(setting, changes, variant.changes.intervalMs);
  const row = rowOf(setting);
  const total = changes.map(({ eventAt, sentAt }) => eventAt - sentAt);
  return [
    row("change to event, p50", "ms", quantile(total, 0.5)),
    row("change to event, longest", "ms", quantile(total, 1)),
  ];
}

/** Rows of a source that tells changes by itself. */
function waitedRows(setting: Setting, changes: readonly TimedChange[]): readonly Row[] {
  const row = rowOf(setting);
  const total = changes.map(({ eventAt, sentAt }) => eventAt - sentAt);
  const bare = changes.flatMap(({ bareAt, sentAt }) => (bareAt === undefined ? [] : bareAt - sentAt));
  const sinceAck = changes.map(({ ackedAt, eventAt }) => eventAt - ackedAt);
  return [
    ...([0.5, 0.99] as const).map((share) =>
      compared({
        ...row(`change to event, p${share * 100}`, "ms", quantile(total, share), share === 0.99 ? 50 : undefined),
        bare: quantile(bare, share),
      }),
    ),
    ...([0.5, 0.99] as const).map((share) =>
      row(`acknowledgement to event, p${share * 100}`, "ms", quantile(sinceAck, share)),
    ),
  ];
}

/** Rows of a source that is polled: what the poll adds, and what comes after it. */
async function polledRows(
  setting: Setting,
  changes: readonly TimedChange[],
  intervalMs: number,
): Promise<readonly Row[]> {
  const { follower } = setting.source;
  const row = rowOf(setting);
  const total = changes.map(({ eventAt, sentAt }) => eventAt - sentAt);
  const sincePoll = changes.flatMap(({ eventAt, poll }) => (poll === undefined ? [] : eventAt - poll.sentAt));
  const sinceAnswer = changes.flatMap(({ eventAt, poll }) => (poll === undefined ? [] : eventAt - poll.answeredAt));
  const bare: number[] = [];
  const reads = Math.min(changes.length, mostBareReads);
  for (let read = 0; read < reads && follower.type === "poll"; read++) bare.push(await follower.read());
  // The pause between two polls is up to a tenth longer than the interval.
  const longest = intervalMs * 1.1 + 50;
  return [
    row("change to event, p50", "ms", quantile(total, 0.5)),
    row("change to event, longest", "ms", quantile(total, 1), longest),
    ...([0.5, 0.99] as const).map((share) =>
      compared({
        ...row(
          `poll sent to event, p${share * 100}`,
          "ms",
          quantile(sincePoll, share),
          share === 0.99 ? 50 : undefined,
        ),
        bare: quantile(bare, share),
      }),
    ),
    ...([0.5, 0.99] as const).map((share) =>
      row(`answer there to event, p${share * 100}`, "ms", quantile(sinceAnswer, share)),
    ),
  ];
}

function rowOf({ fleet, services, source, variant }: Setting) {
  const instances = (services * fleet.size.instances).toLocaleString("en");
  const setting = `${instances} instances${variant.name === "" ? "" : `, ${variant.name}`}`;
  return (figure: string, unit: Row["unit"], value: number, limit?: number): Row => ({
    ...{ source: source.name, setting, figure, unit, value },
    ...(limit !== undefined && { limit }),
  });
}
