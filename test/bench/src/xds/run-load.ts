import { text } from "node:stream/consumers";
import { startBound } from "./bound-process.ts";
import type { Load, MeshSize } from "./cell.ts";
import { loadArguments } from "./load-arguments.ts";
import { parseReport, type LoadReport } from "./load-report.ts";
import type { RunningServer } from "./running-server.ts";

/** A load, and what it is put on. */
export interface LoadTask {
  readonly server: RunningServer;
  readonly mesh: MeshSize;
  readonly load: Load;
  /** Where clients go in the end. */
  readonly next?: RunningServer;
}

/** Puts a load on a server and resolves with what the clients saw. Rejects with a LoadFailedError where they did not get what they asked for. */
export async function runLoad(
  program: string,
  { load, mesh, next, server }: LoadTask,
  signal: AbortSignal,
): Promise<LoadReport> {
  signal.throwIfAborted();
  const client = await startBound(program, loadArguments(server, mesh, load, next));
  const end = (): void => void client.end();
  signal.addEventListener("abort", end, { once: true });
  try {
    const printed = await Promise.race([text(client.stdout), server.failed]);
    signal.throwIfAborted();
    return parseReport(printed);
  } finally {
    signal.removeEventListener("abort", end);
    await client.end();
  }
}
