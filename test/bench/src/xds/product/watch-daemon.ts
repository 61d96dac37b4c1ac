import diagnosticsChannel from "node:diagnostics_channel";
import { writeFileSync } from "node:fs";
import { isMainThread } from "node:worker_threads";
import { watchLoop } from "./loop-watch.ts";
import { portFileVariable } from "./messages.ts";
import { serveTriggers } from "./triggers.ts";

// Node loads this into a daemon before its own modules, and into threads that it starts.
const portFile = process.env[portFileVariable];
if (isMainThread && portFile !== undefined) await watch(portFile);

async function watch(path: string): Promise<void> {
  const loop = await watchLoop();
  const { port, server } = await serveTriggers({ "/loop": () => loop.take() });
  // The daemon ends as if nobody were here.
  server.unref();
  server.on("connection", (socket) => socket.unref());
  // Modules are loaded in one piece, and nobody can be a client yet: what counts begins when the daemon answers its first request.
  const first = (): void => {
    diagnosticsChannel.unsubscribe("http.server.request.start", first);
    loop.forget();
  };
  diagnosticsChannel.subscribe("http.server.request.start", first);
  writeFileSync(path, String(port));
}
