import { JetStreamApiError, jetstreamManager } from "@nats-io/jetstream";
import type { JetStreamManager } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { createNatsBus } from "@signalbox/event-bus/nats";
import { startNats } from "@signalbox/test-servers";
import type { EngineUnderTest } from "./engine-under-test.ts";

const catalog = "faults";

/** Starts a NATS server of our own for fault sequences. */
export async function startNatsUnderTest(): Promise<EngineUnderTest> {
  // Small messages, so that many frames make one message.
  const nats = await startNats({ own: true, config: "max_payload: 4096" });
  const manage = async (act: (manager: JetStreamManager) => Promise<void>): Promise<void> => {
    const connection = await connect({ servers: nats.url });
    try {
      await act(await jetstreamManager(connection));
    } finally {
      await connection.close();
    }
  };
  return {
    name: "nats",
    port: Number(new URL(nats.url).port),
    kill: () => nats.kill(),
    restart: () => nats.restart(),
    freeze: () => nats.freeze(),
    thaw: () => nats.thaw(),
    wipe: () => nats.restartEmpty(),
    deleteLog: () =>
      manage(async (manager) => {
        const stream = await followedLog(manager);
        if (stream !== undefined) await manager.streams.delete(stream).catch(ignoreMissing);
      }),
    truncateLog: () =>
      manage(async (manager) => {
        const stream = await followedLog(manager);
        if (stream !== undefined) await manager.streams.purge(stream, { keep: 1 }).catch(ignoreMissing);
      }),
    open: ({ port, ...options }) => createNatsBus({ catalog, servers: [`127.0.0.1:${port}`], ...options }),
    stop: () => nats.stop(),
  };
}

/** A log that nobody has written anew since it was deleted. */
function ignoreMissing(error: unknown): void {
  if (!(error instanceof JetStreamApiError) || error.status !== 404) throw error;
}

/** The stream that readers follow now. */
async function followedLog(manager: JetStreamManager): Promise<string | undefined> {
  const control = `SIGNALBOX_${catalog}_CONTROL`;
  try {
    const message = await manager.streams.getMessage(control, { last_by_subj: `signalbox.${catalog}.control` });
    const { claim } = (message?.json<{ head?: { claim: { number: number; nonce: string } } }>() ?? {}).head ?? {};
    return claim && `SIGNALBOX_${catalog}_LOG_${claim.number}_${claim.nonce}`;
  } catch {
    // There is no control stream yet.
    return undefined;
  }
}
