import { setMaxListeners } from "node:events";
import { builtModule } from "@signalbox/test-servers";
import { Child } from "../child.ts";
import type { Measured } from "../command.ts";
import { ProxyClient } from "../proxy-client.ts";
import type { Row } from "../row.ts";
import { slope } from "../statistics.ts";
import type { SoakMessage, SoakQuestion, SoakTask, Weight } from "./messages.ts";
import type { SoakOptions } from "./options.ts";
import { lagRemarks, Pace } from "./pace.ts";
import { markOf } from "./soak-world.ts";

type Soaked = Child<SoakMessage, SoakQuestion>;

const mebibyte = 1024 * 1024;
/** A client is replaced after so many seconds. */
const replaced = 10;
/** Metrics are read after so many seconds. */
const scraped = 15;
/** How often memory is looked at. */
const looks = 48;
/** This share of the looks is the warm-up: what is kept for those who come back fills then, and V8 compiles. */
const warmUp = 1 / 3;
const patienceMs = 120_000;

/** One look at the memory, and after how many hours of changes. */
interface Look {
  readonly hour: number;
  readonly weight: Weight;
}

/** Memory over time while everything changes, with clients that come and go and one that never reads. */
export async function benchSoak(options: SoakOptions, signal: AbortSignal): Promise<Measured> {
  const measured: Measured[] = [];
  for (let run = 1; run <= options.runs; run++) {
    process.stderr.write(`soak: run ${run} of ${options.runs}\n`);
    measured.push(await soak(options, signal));
  }
  return {
    rows: measured.flatMap(({ rows }) => rows),
    remarks: [...new Set(measured.flatMap(({ remarks }) => remarks))],
  };
}

async function soak(options: SoakOptions, signal: AbortSignal): Promise<Measured> {
  // Every client that waits listens to it.
  setMaxListeners(0, signal);
  const { arrivals, churn, instances, minutes, scale, services } = options;
  const task: SoakTask = { services, instances, churn, scale };
  const soaked: Soaked = new Child(builtModule("./soaked.ts", import.meta.url), task);
  const all = new Set<ProxyClient>();
  try {
    const { debugUrl, port } = await soaked.next("ready", signal);
    let number = 0;
    const come = (): ProxyClient => {
      const client = new ProxyClient(port, number++);
      all.add(client);
      return client;
    };
    const leave = (client: ProxyClient): void => {
      client.end();
      all.delete(client);
    };
    const { found, remarks } = await change({ options, soaked, come, leave, debugUrl, signal });
    const before = await soaked.ask({ type: "weigh" }, "weight", signal);
    const crowd = Array.from({ length: arrivals }, come);
    await Promise.all(crowd.map((client) => within(signal, (until) => client.complete(until))));
    const crowded = await soaked.ask({ type: "weigh" }, "weight", signal);
    const setting = `${services} services, ${churn} changes a second, ${minutes} minutes`;
    const row = (figure: string, unit: Row["unit"], value: number): Row => ({
      ...{ source: "soak", setting, figure, unit, value },
    });
    const rows = [
      row("live memory at the end", "MiB", before.live / mebibyte),
      row("growth of live memory", "MiB an hour", growth(found, warmUp)),
      row("growth of live memory in the second half", "MiB an hour", growth(found, 1 / 2)),
      row("most resident memory meanwhile", "MiB", Math.max(...found.map(({ weight }) => weight.peak)) / mebibyte),
      row(`most resident memory while ${arrivals} clients come at once`, "MiB", crowded.peak / mebibyte),
      row(`live memory of each of ${arrivals} clients`, "KiB", (crowded.live - before.live) / arrivals / 1024),
    ];
    return { rows, remarks };
  } finally {
    for (const client of all) client.end();
    await soaked.end();
  }
}

/** What changes, who sees it, and how. */
interface Changing {
  readonly options: SoakOptions;
  readonly soaked: Soaked;
  readonly debugUrl: string;
  readonly signal: AbortSignal;
  readonly come: () => ProxyClient;
  readonly leave: (client: ProxyClient) => void;
}

/** Changes everything, second by second, each when all clients have the one before, and looks at memory. */
async function change({ come, debugUrl, leave, options, signal, soaked }: Changing) {
  const { churn, clients: size, minutes, scale } = options;
  const clients = Array.from({ length: size }, come);
  await Promise.all(clients.map((client) => within(signal, (until) => client.complete(until))));
  const stuck = come();
  await within(signal, (until) => stuck.complete(until));
  stuck.pause();

  const seconds = minutes * 60;
  const everySeconds = Math.max(1, Math.floor(seconds / looks));
  const found: Look[] = [];
  const times: number[] = [];
  const pace = new Pace(scale);
  for (let second = 1; second <= seconds; second++) {
    const told = clients.map((client) => within(signal, (until) => client.endpointAt(markOf(second), until)));
    const [changed] = await Promise.all([soaked.ask({ type: "change", second }, "changed", signal), ...told]);
    times.push(changed.at);
    if (second % replaced === 0) {
      const oldest = clients.shift();
      if (oldest !== undefined) leave(oldest);
      const newest = come();
      clients.push(newest);
      await within(signal, (until) => newest.complete(until));
    }
    if (second % scraped === 0) await (await fetch(`${debugUrl}/metrics`, { signal })).arrayBuffer();
    if (second % everySeconds === 0) {
      const weight = await soaked.ask({ type: "weigh" }, "weight", signal);
      found.push({ hour: second / 3600, weight });
      const live = (weight.live / mebibyte).toFixed(2);
      process.stderr.write(`soak: minute ${(second / 60).toFixed(1)} of ${minutes}, ${live} MiB live\n`);
    }
    await pace.reached(second);
  }
  const passed = ((times.at(-1) ?? 0) - (times[0] ?? 0)) / 1000;
  return { found, remarks: lagRemarks(seconds - 1, passed, churn) };
}

/** In MiB for each hour of changes, without the first looks: this share of them. */
function growth(all: readonly Look[], without: number): number {
  return slope(
    all.slice(Math.floor(all.length * without)).map(({ hour, weight }) => [hour, weight.live / mebibyte] as const),
  );
}

/** Not `AbortSignal.timeout`: one that nobody else refers to may be collected before its time. */
async function within<T>(signal: AbortSignal, task: (until: AbortSignal) => Promise<T>): Promise<T> {
  const end = new AbortController();
  const stop = () => end.abort(signal.reason);
  const late = setTimeout(() => end.abort(new Error(`a client waited for more than ${patienceMs} ms`)), patienceMs);
  signal.addEventListener("abort", stop, { once: true });
  try {
    return await task(end.signal);
  } finally {
    clearTimeout(late);
    signal.removeEventListener("abort", stop);
  }
}
