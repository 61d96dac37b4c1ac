import { once } from "node:events";
import { createMetrics } from "@signalbox/debug";
import { createSocketBus } from "@signalbox/event-bus/sockets";
import { systemClock } from "@signalbox/registry";
import { CatalogView } from "../catalog-view.ts";
import { withFields } from "../event-log.ts";
import { createLogger } from "../logger.ts";
import { composePublishing } from "../publishing.ts";
import { version } from "../version.ts";
import { failureOf } from "./failure.ts";
import type { FromWorker, ToWorker, WorkerStatus } from "./messages.ts";

/**
 * What a worker process does: serves clients on the port that all workers share, with the catalog of the primary process,
 * until that tells it to drain or ends.
 */
export async function workerMain(): Promise<void> {
  const end = new AbortController();
  // The primary process decides when to end; a signal to the whole group, as from a terminal, reaches it as well.
  const ignore = (): void => undefined;
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(name, ignore);
  process.once("disconnect", () => end.abort());
  const told = once(process, "message");
  tell({ type: "ready" });
  const [start] = (await told) as [ToWorker];
  // Sent away before it began.
  if (start.type === "start") await serve(start, end.signal);
  else process.disconnect();
}

async function serve(start: Extract<ToWorker, { type: "start" }>, ended: AbortSignal): Promise<void> {
  const { baseDir, busPath, config, terminal } = start;
  const logger = withFields(createLogger(config.log, terminal), { worker: process.pid });
  const bus = createSocketBus(busPath);
  const metrics = createMetrics({
    sources: { version: { version: version() }, registries: () => [], clients: () => [] },
    processMetrics: false,
  });
  const { publisher, xdsServer } = composePublishing(config, { baseDir, logger, clock: systemClock, metrics });
  if (xdsServer === undefined) throw new TypeError("a worker without an address to serve");
  const end = new AbortController();
  const view = new CatalogView((event) => metrics.busEvent(event));
  const stages = [publisher.run(bus, end.signal), view.run(bus, end.signal)];
  const status = async (names: boolean): Promise<WorkerStatus> => {
    const { clients } = xdsServer.status();
    return {
      clients,
      names: new Map(names ? clients.map(({ stream }) => [stream, xdsServer.watchedNames(stream)]) : []),
      metrics: await metrics.json(),
    };
  };
  const drained = new Promise<number>((resolve) => {
    ended.addEventListener("abort", () => resolve(0), { once: true });
    process.on("message", (message: ToWorker) => {
      if (message.type === "drain") resolve(message.ms);
      if (message.type === "ask")
        void status(message.names).then((answer) => tell({ type: "answer", id: message.id, status: answer }));
    });
  });
  try {
    tell({ type: "listening", addresses: await xdsServer.listen() });
    await Promise.race([drained, Promise.race(stages)]);
    await xdsServer.drain(await drained);
  } catch (error) {
    tell({ type: "failed", error: failureOf(error as Error) });
    process.exitCode = 1;
  } finally {
    end.abort();
    await xdsServer.close();
    await Promise.allSettled(stages);
    await bus.close();
    if (process.connected) process.disconnect();
  }
}

/** Says something to the primary process. Who is not there any more hears nothing. */
function tell(message: FromWorker): void {
  if (process.connected) process.send?.(message, undefined, undefined, () => undefined);
}
