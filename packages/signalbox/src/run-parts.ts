import { setImmediate as nextTurn } from "node:timers/promises";
import type { AdmissionAddress, AdmissionServer } from "./admission/admission-server.ts";
import type { DebugAddress, DebugServer } from "@signalbox/debug";
import type { EventBus } from "@signalbox/event-bus";
import type { XdsServerAddresses } from "@signalbox/xds-server";
import type { SignalboxConfig } from "./config/schema.ts";
import { untilAborted, type Deferred } from "./deferred.ts";
import { listenFailure } from "./listen-error.ts";
import type { XdsFront } from "./publishing.ts";

/** The addresses that are open. */
export interface Listening {
  readonly xds: XdsServerAddresses;
  readonly debug?: DebugAddress;
  readonly admission?: AdmissionAddress;
}

/** A part of the pipeline: runs until `signal` aborts, and rejects when it fails. */
export type Stage = (signal: AbortSignal) => Promise<void>;

/** What runs. */
export interface Parts {
  /** In the order in which a change travels. */
  readonly stages: readonly Stage[];
  readonly bus: Pick<EventBus, "close">;
  readonly xdsServer: Pick<XdsFront, "drain" | "listen"> | undefined;
  readonly debugServer: DebugServer | undefined;
  readonly admission: AdmissionServer | undefined;
  readonly drainMs: number;
  /** What the servers were told to open. */
  readonly ports: Pick<SignalboxConfig, "admission" | "debug" | "xds">;
}

/**
 * Runs the stages until `signal` aborts or one of them fails. Then clients are drained while the stages still run, the stages end, the
 * bus, the admission webhook and the debug server close. Rejects with the failure, also when a stage ends without being asked to. Settles `listening`.
 */
export async function runParts(parts: Parts, signal: AbortSignal, listening: Deferred<Listening>): Promise<void> {
  const end = new AbortController();
  const stages = parts.stages.map(async (stage, turn) => {
    await turns(turn);
    await stage(end.signal);
  });
  try {
    const failed = Promise.race(stages).then(() => {
      if (!signal.aborted) throw new Error("a stage of the pipeline ended before it was asked to");
    });
    await Promise.race([failed, turns(stages.length).then(() => listen(parts, listening))]);
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
    await parts.admission?.close();
    await parts.debugServer?.close();
  }
}

/** Lets the event loop turn so often: what each part does at its start would add up in one turn. */
async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await nextTurn();
}

async function listen(
  { admission, debugServer, ports, xdsServer }: Parts,
  listening: Deferred<Listening>,
): Promise<void> {
  // Debug first: its readiness page tells how far the others are.
  const failed = (server: "admission" | "debug" | "xds") => (error: unknown) => {
    throw listenFailure(error, server, ports);
  };
  const debug = await debugServer?.listen().catch(failed("debug"));
  await nextTurn();
  const xds = (await xdsServer?.listen().catch(failed("xds"))) ?? {};
  await nextTurn();
  const webhook = await admission?.listen().catch(failed("admission"));
  listening.resolve({
    xds,
    ...(debug === undefined ? {} : { debug }),
    ...(webhook === undefined ? {} : { admission: webhook }),
  });
}
