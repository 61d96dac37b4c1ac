import { createXdsPublisher, createTranslator } from "@signalbox/xds";
import type { BusWriter, ChangeEvent, EventBus } from "@signalbox/event-bus";
import { setTimeout as delay } from "node:timers/promises";
import { collected } from "../collected.ts";
import { say } from "../say.ts";
import { cpuMs, now } from "../time.ts";
import { readersBus, writersBus } from "./access.ts";
import { ArrivalBook } from "./arrival-book.ts";
import type { BusMessage, BusQuestion, BusTask, Published, Spent } from "./messages.ts";
import { World } from "./world.ts";

// The entry of a process of the bus benchmark. The parent gives the task, and as soon as it lets go, or dies, this one ends.
const task = JSON.parse(process.argv[2] ?? "") as BusTask;
const before = collected().heapUsed;
const stop = new AbortController();
const stopped = new Promise<void>((resolve) => {
  process.once("disconnect", () => {
    stop.abort();
    resolve();
  });
});
const arrivals = new ArrivalBook();
const tell = (message: BusMessage): void => say(message);

const world = task.leads && new World(task.leads);
const led = world && (await lead(world));
let read: { readonly bus: EventBus; readonly running: Promise<void> } | undefined;

process.on("message", (question: BusQuestion) => {
  // A failure ends the process, which the parent notices.
  void answer(question);
});
tell({ type: "started" });
await stopped;
await read?.running;
await read?.bus.close();
await led?.close();

async function answer(question: BusQuestion): Promise<void> {
  switch (question.type) {
    case "read":
      read = startPublisher();
      return;
    case "publish":
      if (led === undefined || world === undefined) throw new TypeError("this process does not lead");
      tell(await publish(led.writer, world, question));
      return;
    case "arrivals":
      tell({ type: "arrivals", at: await arrivals.take(question.until) });
      return;
    case "memory": {
      const { external, heapUsed: used, rss } = collected();
      tell({ type: "memory", used, before, external, rss });
    }
  }
}

async function lead(world: World) {
  const { bus, close } = await writersBus(task.access);
  const content = world.content();
  const since = stopwatch();
  const writer = await bus.lead(() => content, stop.signal);
  tell({ type: "leading", ...since() });
  return { bus, close, writer };
}

async function publish(
  writer: BusWriter,
  world: World,
  { count, from, restMs }: Extract<BusQuestion, { type: "publish" }>,
): Promise<Published> {
  const sent: number[] = [];
  const none = { upserted: [], removed: [] };
  const since = stopwatch();
  for (let change = from; change < from + count; change++) {
    const entries = { upserted: [world.changed(change)], removed: [] };
    sent.push(now());
    await writer.publish({ entries, workloads: none, objects: none });
    if (restMs > 0) await delay(restMs, undefined, { signal: stop.signal });
  }
  return { type: "published", sent, ...since() };
}

/** A publisher as the product has it, without the server for its clients. */
function startPublisher() {
  const since = stopwatch();
  const bus = led?.bus ?? readersBus(task.access);
  const publisher = createXdsPublisher({ name: "bench", translator: createTranslator() });
  async function* subscribe(consumer: string, signal: AbortSignal): AsyncGenerator<ChangeEvent> {
    for await (const event of bus.subscribe(consumer, signal)) {
      const snapshot = event.type === "snapshot" ? since() : undefined;
      arrivals.note(event);
      yield event;
      // Whoever asks for the next event has taken in this one.
      if (snapshot !== undefined && event.type === "snapshot") {
        const { revision, services } = publisher.status();
        if (revision?.epoch !== event.catalog.revision.epoch) throw new Error("the publisher took in another catalog");
        let instances = 0;
        const ready = since();
        for (const entry of event.catalog.entries.values()) instances += entry.instances.length;
        tell({ type: "ready", services, instances, snapshot, ready });
      }
    }
  }
  return { bus, running: publisher.run({ subscribe }, stop.signal) };
}

function stopwatch(): () => Spent {
  const begun = { at: now(), cpu: cpuMs() };
  return () => ({ ms: now() - begun.at, cpuMs: cpuMs() - begun.cpu });
}
