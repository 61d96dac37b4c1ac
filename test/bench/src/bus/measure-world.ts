import { setTimeout as delay } from "node:timers/promises";
import { builtModule } from "@signalbox/test-servers";
import { Child } from "../child.ts";
import type { Row } from "../row.ts";
import { quantile } from "../statistics.ts";
import type { BusAccess } from "./access.ts";
import type { Arrivals, BusMessage, BusQuestion, BusTask, Leading, Memory, Published, Ready } from "./messages.ts";
import { World, type WorldSize } from "./world.ts";

/** What is done with one world on one bus. */
export interface BusSetting {
  readonly name: string;
  readonly world: WorldSize;
  /** Changes that are timed one by one. */
  readonly changes: number;
  /** Changes that are published as fast as the bus takes them. */
  readonly published: number;
}

/** One figure; `more`: the target for what it is more than in the bus of one process. */
export type Figure = Omit<Row, "source" | "setting" | "bare" | "ratio"> & { readonly more?: number };

/** From which size on the targets hold: they speak of catalogs of so many services. */
const manyServices = 20_000;
const restMs = 10;
/** After the first read, everybody gets to the wait for news. */
const calmMs = 1000;
const mebibyte = 1024 * 1024;

/** All figures of one world on one bus, in new processes. */
export async function measureWorld(
  access: BusAccess,
  setting: BusSetting,
  signal: AbortSignal,
): Promise<readonly Figure[]> {
  const world = new World(setting.world);
  const discovery = await start({ access, leads: setting.world }, signal);
  try {
    const publisher = access.bus === "in-process" ? discovery.child : (await start({ access }, signal)).child;
    try {
      const ready = await publisher.ask({ type: "read" }, "ready", signal);
      checkComplete(setting, ready);
      await delay(calmMs, undefined, { signal });
      const memory = await publisher.ask({ type: "memory" }, "memory", signal);
      const change = async (from: number, count: number, restMs: number) => {
        const question = { type: "publish", from, count, restMs } as const;
        const publishing = discovery.child.ask(question, "published", signal);
        const published = await Promise.race([publishing, publisher.failed]);
        const until = world.newHome(from + count - 1);
        const arrivals = await publisher.ask({ type: "arrivals", until }, "arrivals", signal);
        return { published, arrivals };
      };
      const { arrivals, published } = await change(0, setting.changes, restMs);
      return [
        ...readyFigures(setting, ready, memory),
        ...leadFigures(discovery.leading),
        ...changeFigures(world, published, arrivals),
        ...(setting.published === 0 ? [] : rateFigures(await change(setting.changes, setting.published, 0))),
      ];
    } finally {
      await publisher.end();
    }
  } finally {
    await discovery.child.end();
  }
}

async function start(task: BusTask, signal: AbortSignal) {
  const child = new Child<BusMessage, BusQuestion>(builtModule("./measured-bus.ts", import.meta.url), task);
  try {
    const leading = task.leads && child.next("leading", signal);
    leading?.catch(() => {});
    await child.next("started", signal);
    return { child, leading: await leading };
  } catch (error) {
    await child.end();
    throw error;
  }
}

/** A figure about half a catalog would say nothing. */
function checkComplete({ world: { instances, services, skewed } }: BusSetting, ready: Ready): void {
  if (ready.services !== services || (!skewed && ready.instances !== services * instances))
    throw new Error(`the publisher has ${ready.services} services with ${ready.instances} instances`);
}

function readyFigures({ world }: BusSetting, { ready, snapshot }: Ready, memory: Memory): readonly Figure[] {
  const limit = world.services >= manyServices ? { limit: 2000 } : {};
  return [
    { figure: "subscribe to snapshot", unit: "ms", value: snapshot.ms },
    { figure: "snapshot to ready", unit: "ms", value: ready.ms - snapshot.ms },
    { figure: "ready", unit: "ms", value: ready.ms, ...limit },
    { figure: "subscribe to snapshot, CPU time", unit: "ms", value: snapshot.cpuMs },
    { figure: "snapshot to ready, CPU time", unit: "ms", value: ready.cpuMs - snapshot.cpuMs },
    { figure: "ready, CPU time", unit: "ms", value: ready.cpuMs },
    { figure: "heap of the publisher", unit: "MiB", value: memory.used / mebibyte },
    { figure: "heap before it began", unit: "MiB", value: memory.before / mebibyte },
    { figure: "buffers outside the heap", unit: "MiB", value: memory.external / mebibyte },
    { figure: "resident memory", unit: "MiB", value: memory.rss / mebibyte },
  ];
}

function leadFigures(leading: Leading | undefined): readonly Figure[] {
  if (leading === undefined) return [];
  return [
    { figure: "time to lead", unit: "ms", value: leading.ms },
    { figure: "time to lead, CPU time", unit: "ms", value: leading.cpuMs },
  ];
}

function changeFigures(world: World, { sent }: Published, { at }: Arrivals): readonly Figure[] {
  const seen = new Map(at);
  // The events of changes that were merged tell of the later one only.
  const times = sent.flatMap((from, change) => {
    const to = seen.get(world.newHome(change));
    return to === undefined ? [] : [to - from];
  });
  return [
    { figure: "change to event, p50", unit: "ms", value: quantile(times, 0.5), more: 5 },
    { figure: "change to event, p99", unit: "ms", value: quantile(times, 0.99) },
  ];
}

function rateFigures({ arrivals: { at }, published }: { arrivals: Arrivals; published: Published }): readonly Figure[] {
  const [begun = 0] = published.sent;
  const last = Math.max(...at.slice(-1).map(([, arrived]) => arrived));
  return [
    {
      figure: "changes published one after the other",
      unit: "a second",
      value: (published.sent.length * 1000) / published.ms,
    },
    { figure: "CPU time of the writer for a change", unit: "ms", value: published.cpuMs / published.sent.length },
    { figure: "all of them at the publisher", unit: "ms", value: last - begun },
  ];
}
