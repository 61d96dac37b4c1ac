import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { createSignalbox } from "signalbox";
import { collected } from "../../collected.ts";
import { say } from "../../say.ts";
import { inTurns } from "./in-turns.ts";
import { watchLoop } from "./loop-watch.ts";
import { Mesh } from "./mesh.ts";
import { profileFiles, type ProductTask, type ServerStats, type Serving } from "./messages.ts";
import { ProcessProfiler, writeProfile } from "./profiler.ts";
import { MeshRegistry } from "./registry.ts";
import { watchSlices } from "./slices.ts";
import { serveTriggers } from "./triggers.ts";

// The entry of a process that serves a mesh with the whole product. The parent gives the task, and as soon as it lets go, or dies, this one ends.
const task = JSON.parse(process.argv[2] ?? "") as ProductTask;
const stop = new AbortController();
process.once("disconnect", () => {
  if (profiler && task.folder !== undefined) writeProfile(join(task.folder, profileFiles.cpu), profiler.cpu());
  // Clients are not waited for.
  process.exit(0);
});
const mesh = new Mesh(task.mesh);
const registry = new MeshRegistry(mesh);
const loop = task.probe === "loop" ? await watchLoop() : undefined;
const signalbox = await createSignalbox(
  { xds: { plaintext: { host: "127.0.0.1", port: 0 } }, debug: { port: 0 } },
  { registries: [registry] },
);
// Node's own client of HTTP, which only this file needs, is loaded at its first use.
await fetch("data:,");
// Modules that are loaded when they are needed were loaded by now; from here on there may be clients.
loop?.forget();
const running = signalbox.run(stop.signal);
const listening = await signalbox.listening(stop.signal);
await signalbox.synced(stop.signal);
// Clients come when there is something to serve, as they do beside it.
while (!(await fetch(`http://127.0.0.1:${String(listening.debug?.port ?? 0)}/readyz`)).ok) await delay(2);
const slices = task.probe === "slices" ? watchSlices() : undefined;
const profiler = task.probe === "profile" ? new ProcessProfiler(200) : undefined;
profiler?.watchHeap(16 * 1024);

const { port: triggerPort } = await serveTriggers({
  "/change": (query) =>
    registry.tellService(mesh.change(query.number("service"), query.number("endpoint"), query.text("address"))),
  "/all": async (query) => {
    mesh.moveAll(query.text("address"));
    registry.tellServices(await inTurns(task.mesh.services, (service) => mesh.record(service)));
  },
  "/churn": (query) => {
    const first = query.number("first");
    for (let change = first; change < first + query.number("count"); change++) registry.tellService(mesh.churn(change));
  },
  "/route": (query) => registry.tellRule(mesh.rule(query.text("value"))),
  "/service": (query) => registry.tellService(mesh.add(query.text("value"), query.text("address"))),
  "/stats": stats,
});
const serving: Serving = {
  type: "serving",
  pid: process.pid,
  xdsPort: listening.xds.plaintext?.port ?? 0,
  triggerPort,
};
say(serving);
await running;

async function stats(): Promise<ServerStats> {
  if (profiler && task.folder !== undefined) {
    writeProfile(join(task.folder, profileFiles.heap), profiler.heap());
    const { external, heapUsed } = process.memoryUsage();
    return { heap_bytes: heapUsed, external_bytes: external };
  }
  slices?.pause();
  const probes = { ...(loop && { loop: await loop.take() }), ...(slices && { slices: slices.take() }) };
  const { external, heapUsed } = collected();
  if (loop) {
    // The timer that waited for the collection must not count: that is no work of the product.
    await delay(20);
    loop.forget();
  }
  slices?.resume();
  return { heap_bytes: heapUsed, external_bytes: external, ...probes };
}
