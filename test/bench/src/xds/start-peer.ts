import { once } from "node:events";
import { createInterface } from "node:readline";
import { startBound } from "./bound-process.ts";
import type { MeshSize } from "./cell.ts";
import type { RunningServer } from "./running-server.ts";

/** Starts the peer on free ports. Rejects where it ends before it serves. */
export async function startPeer(
  program: string,
  { endpoints, services }: MeshSize,
  cache: "linear" | "snapshot",
): Promise<RunningServer> {
  const size = ["-services", String(services), "-endpoints", String(endpoints)];
  const peer = await startBound(program, [...size, "-cache", cache, "-until-stdin-ends"]);
  const failed = peer.ended.then((code): never => {
    throw new Error(`the peer ended (code ${String(code)})`);
  });
  failed.catch(() => {});
  const [line] = (await Promise.race([once(createInterface(peer.stdout), "line"), failed])) as [string];
  const { trigger, xds } = JSON.parse(line) as { readonly xds: number; readonly trigger: number };
  const triggers = `http://127.0.0.1:${trigger}`;
  return { pid: peer.pid, xdsPort: xds, triggers, statsUrl: `${triggers}/stats`, failed, stop: peer.end };
}
