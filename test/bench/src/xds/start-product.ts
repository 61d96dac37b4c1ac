import { builtModule } from "@signalbox/test-servers";
import { Child } from "../child.ts";
import type { MeshSize } from "./cell.ts";
import type { ProductTask, Serving } from "./product/messages.ts";
import type { RunningServer } from "./running-server.ts";

/** Starts the product in a process of its own, with a mesh in memory. Resolves when it serves all of it. */
export async function startProduct(
  mesh: MeshSize,
  options: Omit<ProductTask, "mesh">,
  signal: AbortSignal,
): Promise<RunningServer> {
  const task: ProductTask = { mesh, ...options };
  const module = builtModule("./product/measured-product.ts", import.meta.url);
  const child = new Child<Serving, never>(module, task);
  try {
    const { pid, triggerPort, xdsPort } = await child.next("serving", signal);
    const triggers = `http://127.0.0.1:${triggerPort}`;
    const stop = () => child.end();
    return { pid, xdsPort, triggers, statsUrl: `${triggers}/stats`, failed: child.failed, stop };
  } catch (error) {
    await child.end();
    throw error;
  }
}
