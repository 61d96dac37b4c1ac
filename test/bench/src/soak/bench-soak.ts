import { setMaxListeners } from "node:events";
import { builtModule } from "@signalbox/test-servers";
import { Child } from "../child.ts";
import type { Measured } from "../command.ts";
import { ProxyClient } from "../proxy-client.ts";
import type { Row } from "../row.ts";
import { slope } from "../statistics.ts";
import type { SoakMessage, SoakQuestion, SoakTask, Weight } from "./messages.ts";
import type { SoakOptions } from "./options.ts";
import { markOf } from "./soak-world.ts";

type Soaked = Child<SoakMessage, SoakQuestion>;

const mebibyte = 1024 * 1024;
/** A client is replaced after so many seconds. */
const replaced = 10;
/** How often memory is looked at. The first quarter of the looks is the warm-up: what is kept for those who come back fills then. */
const looks = 24;
const patienceMs = 120_000;

/** Memory over time while everything changes, with clients that come and go and one that never reads. */
export async function benchSoak(options: SoakOptions, signal: AbortSignal): Promise<Measured> {
  const rows: Row[] = [];
  for (let run = 1; run <= options.runs; run++) {
    process.stderr.write(`soak: run ${run} of ${options.runs}\n`);
    rows.push(...(await soak(options, signal)));
  }
  return { rows, remarks: [] };
}

async function soak(options: SoakOptions, signal: AbortSignal): Promise<readonly Row[]> {
  // Every client that waits listens to it.
  setMaxListeners(0, signal);
  const { arrivals, churn, clients: size, instances, minutes, scale, services } = options;
  const task: SoakTask = { services, instances, churn, scale };
  const soaked: Soaked = new Child(builtModule("./soaked.ts", import.meta.url), task);
  const all = new Set<ProxyClient>();
  try {
    const { port } = await soaked.next("ready", signal);
    let number = 0;
    const come = (): ProxyClient => {
      const client = new ProxyClient(port, number++);
      all.add(client);
      return client;
    };
    const clients = Array.from({ length: size }, come);
    await Promise.all(clients.map((client) => within(signal, (until) => client.complete(until))));
    const stuck = come();
    await within(signal, (until) => stuck.complete(until));
    stuck.pause();

    const seconds = minutes * 60;
    const weights: { readonly hour: number; readonly weight: Weight }[] = [];
    for (let second = 1; second <= seconds; second++) {
      const told = clients.map((client) => within(signal, (until) => client.endpointAt(markOf(second), until)));
      await Promise.all([soaked.ask({ type: "change", second }, "changed", signal), ...told]);
      if (second % replaced === 0) {
        const oldest = clients.shift();
        oldest?.end();
        if (oldest !== undefined) all.delete(oldest);
        const newest = come();
        clients.push(newest);
        await within(signal, (until) => newest.complete(until));
      }
      if (second % Math.max(1, Math.floor(seconds / looks)) === 0)
        weights.push({ hour: second / 3600, weight: await soaked.ask({ type: "weigh" }, "weight", signal) });
    }
    const settled = weights.slice(Math.floor(weights.length / 4));
    const line = settled.map(({ hour, weight }) => [hour, weight.live / mebibyte] as const);
    const before = await soaked.ask({ type: "weigh" }, "weight", signal);
    const crowd = Array.from({ length: arrivals }, come);
    await Promise.all(crowd.map((client) => within(signal, (until) => client.complete(until))));
    const crowded = await soaked.ask({ type: "weigh" }, "weight", signal);
    for (const client of crowd) client.end();
    const setting = `${services} services, ${churn} changes a second, ${minutes} minutes`;
    const row = (figure: string, unit: Row["unit"], value: number): Row => ({
      ...{ source: "soak", setting, figure, unit, value },
    });
    return [
      row("live memory at the end", "MiB", before.live / mebibyte),
      row("growth of live memory", "MiB an hour", slope(line)),
      row("most resident memory meanwhile", "MiB", Math.max(...weights.map(({ weight }) => weight.peak)) / mebibyte),
      row(`most resident memory while ${arrivals} clients come at once`, "MiB", crowded.peak / mebibyte),
      row(`live memory of each of ${arrivals} clients`, "KiB", (crowded.live - before.live) / arrivals / 1024),
    ];
  } finally {
    for (const client of all) client.end();
    await soaked.end();
  }
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
