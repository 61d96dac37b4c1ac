import { systemClock, type Clock, type Registry, type RegistrySink } from "@signalbox/registry";
import { createSignalbox } from "signalbox";
import { collected } from "../collected.ts";
import { say } from "../say.ts";
import type { SoakMessage, SoakQuestion, SoakTask } from "./messages.ts";
import { SoakWorld } from "./soak-world.ts";

// The entry of the soaked process: the whole product with default settings and a registry in memory, on a clock that runs fast. The parent
// gives the task, and as soon as it lets go, or dies, this one ends.

const task = JSON.parse(process.argv[2] ?? "") as SoakTask;
const stop = new AbortController();
process.once("disconnect", () => stop.abort());
const tell = (message: SoakMessage): void => say(message);

const began = systemClock.now();
const clock: Clock = {
  now: () => began + (systemClock.now() - began) * task.scale,
  sleep: (ms, signal) => systemClock.sleep(ms / task.scale, signal),
};

const world = new SoakWorld(task);
let opened: (sink: RegistrySink) => void = () => {};
const sink = new Promise<RegistrySink>((resolve) => (opened = resolve));
const registry: Registry = {
  id: world.id,
  run: async (to, signal) => {
    to.push(world.snapshot());
    opened(to);
    await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
  },
};

let peak = 0;
const look = setInterval(() => (peak = Math.max(peak, process.memoryUsage.rss())), 20);

const signalbox = await createSignalbox(
  { xds: { plaintext: { port: 0 } }, debug: { port: 0 } },
  { registries: [registry], clock },
);
const running = signalbox.run(stop.signal);
const { debug, xds } = await signalbox.listening(stop.signal);
await signalbox.synced(stop.signal);
const { push } = await sink.then((to) => ({ push: to.push.bind(to) }));
process.on("message", (question: SoakQuestion) => {
  if (question.type === "change") {
    push(world.second(question.second));
    tell({ type: "changed", at: clock.now() });
    return;
  }
  const { arrayBuffers, heapUsed, rss } = collected();
  tell({ type: "weight", live: heapUsed + arrayBuffers, resident: rss, peak: Math.max(peak, rss) });
  peak = 0;
});
tell({ type: "ready", port: xds.plaintext?.port ?? 0, debugUrl: debug?.url ?? "" });
await running;
clearInterval(look);
