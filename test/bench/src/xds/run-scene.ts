import type { Load, Scene } from "./cell.ts";
import type { LoadReport } from "./load-report.ts";
import type { Programs } from "./programs.ts";
import { runLoad } from "./run-load.ts";
import type { RunningServer } from "./running-server.ts";
import { startFiles } from "./start-files.ts";
import { startPeer } from "./start-peer.ts";
import { startProduct } from "./start-product.ts";

/** What the clients of one scene saw. */
export interface SceneReport {
  readonly report: LoadReport;
  /** Of the load that the server had before, where there was one. */
  readonly before?: LoadReport;
  /** As in RunningServer. */
  readonly readyMs?: number;
}

/** Runs one scene in new processes. Profiles, where the scene wants them, go to `folder`. */
export async function runScene(
  scene: Scene,
  programs: Programs,
  signal: AbortSignal,
  folder?: string,
): Promise<SceneReport> {
  const servers: RunningServer[] = [];
  const start = async (): Promise<RunningServer> => {
    const server = await startServer(scene, programs, folder, signal);
    servers.push(server);
    return server;
  };
  try {
    const server = await start();
    const task = { server, mesh: scene.mesh };
    const few: Load | undefined = scene.before && { ...scene.load, ...scene.before, action: { type: "none" } };
    const before = few && (await runLoad(programs.loadClient, { ...task, load: few }, signal));
    const next = scene.resume === true ? { next: await start() } : {};
    const report = await runLoad(programs.loadClient, { ...task, ...next, load: scene.load }, signal);
    const { readyMs } = server;
    return { report, ...(before && { before }), ...(readyMs !== undefined && { readyMs }) };
  } finally {
    for (const server of servers) await server.stop();
  }
}

function startServer(
  { mesh, probe, server }: Scene,
  programs: Programs,
  folder: string | undefined,
  signal: AbortSignal,
): Promise<RunningServer> {
  switch (server.type) {
    case "product":
      return startProduct(mesh, { ...(probe && { probe }), ...(folder !== undefined && { folder }) }, signal);
    case "files":
      return startFiles(server, mesh, { watched: probe === "loop" }, signal);
    case "peer":
      return startPeer(programs.peer, mesh, server.cache);
  }
}
