import type { AggregateController } from "@signalbox/aggregate";
import type { DebugAddress, DebugServer, SignalboxMetrics } from "@signalbox/debug";
import type { EventBus } from "@signalbox/event-bus";
import type { XdsPublisher } from "@signalbox/xds";
import type { FilePublisher, XdsServer, XdsServerAddresses } from "@signalbox/xds-server";
import type { SignalboxConfig } from "./config/schema.ts";
import { untilAborted, type Deferred } from "./deferred.ts";
import { listenFailure } from "./listen-error.ts";

/** The addresses that are open. */
export interface Listening {
  readonly xds: XdsServerAddresses;
  readonly debug?: DebugAddress;
}

/** The stages that run. */
export interface Parts {
  readonly aggregate: AggregateController;
  readonly bus: EventBus;
  readonly publisher: XdsPublisher;
  readonly metrics: SignalboxMetrics;
  readonly xdsServer: XdsServer | undefined;
  readonly fileWriter: FilePublisher | undefined;
  readonly debugServer: DebugServer | undefined;
  readonly drainMs: number;
  /** What the servers were told to open. */
  readonly ports: Pick<SignalboxConfig, "debug" | "xds">;
}

/**
 * Runs the stages until `signal` aborts or one of them fails. Then clients are drained while the stages still run, the stages end, the
 * bus and the debug server close. Rejects with the failure, also when a stage ends without being asked to. Settles `listening`.
 */
export async function runParts(parts: Parts, signal: AbortSignal, listening: Deferred<Listening>): Promise<void> {
  const end = new AbortController();
  const stages = [
    parts.aggregate.run(end.signal),
    parts.publisher.run(parts.bus, end.signal),
    count(parts.bus, parts.metrics, end.signal),
    ...(parts.fileWriter === undefined ? [] : [parts.fileWriter.run(end.signal)]),
  ];
  try {
    const failed = Promise.race(stages).then(() => {
      if (!signal.aborted) throw new Error("a stage of the pipeline ended before it was asked to");
    });
    await Promise.race([failed, listen(parts, listening)]);
    await Promise.race([failed, untilAborted(signal)]);
  } catch (error) {
    listening.reject(error);
    throw error;
  } finally {
    listening.reject(new Error("Signalbox ended before it listened"));
    await parts.xdsServer?.drain(signal.aborted ? parts.drainMs : 0);
    end.abort();
    await Promise.allSettled(stages);
    await parts.bus.close();
    await parts.debugServer?.close();
  }
}

async function listen({ debugServer, ports, xdsServer }: Parts, listening: Deferred<Listening>): Promise<void> {
  // Debug first: its readiness page tells how far the others are.
  const failed = (server: "debug" | "xds") => (error: unknown) => {
    throw listenFailure(error, server, ports);
  };
  const debug = await debugServer?.listen().catch(failed("debug"));
  const xds = (await xdsServer?.listen().catch(failed("xds"))) ?? {};
  listening.resolve({ xds, ...(debug === undefined ? {} : { debug }) });
}

async function count(bus: EventBus, metrics: SignalboxMetrics, signal: AbortSignal): Promise<void> {
  for await (const event of bus.subscribe("metrics", signal)) metrics.busEvent(event);
}
