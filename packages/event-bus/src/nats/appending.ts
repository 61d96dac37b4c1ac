import type { BusClock } from "../clock.ts";
import { LogFencedError } from "../log/engine.ts";
import type { NatsConnector, Session } from "./connection.ts";
import { isFencing, isNotFound, isRefusal, isUnanswered } from "./errors.ts";
import type { StreamName } from "./names.ts";

/** So many frames are on their way at a time. More than one is safe only in a log of which this process is the one writer. */
const window = 64;

/** Milliseconds for which an append that makes no progress is tried again, and between two attempts. */
const patience = { totalMs: 4000, pauseMs: 100 } as const;

/**
 * Appends frames, in windows. Each frame says behind which position it belongs and carries that as its id, so one that was
 * sent twice is stored once: after a lost connection the rest is sent again.
 */
export async function appendFrames(
  connector: NatsConnector,
  clock: BusClock,
  log: StreamName,
  after: number,
  frames: readonly Uint8Array[],
  signal: AbortSignal,
): Promise<void> {
  let giveUpAt = clock.now() + patience.totalMs;
  let stored = 0;
  while (stored < frames.length) {
    try {
      const next = frames.slice(stored, stored + window);
      const position = after + stored;
      stored += await connector.use(signal, (session) => appendWindow(session, log, position, next));
      giveUpAt = clock.now() + patience.totalMs;
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof LogFencedError || isRefusal(error) || clock.now() >= giveUpAt) throw error;
      await clock.sleep(patience.pauseMs, signal);
    }
  }
}

/** Resolves with how many frames are stored, from the first on, at least one. Rejects with why the first one is not. */
async function appendWindow(
  session: Session,
  log: StreamName,
  after: number,
  frames: readonly Uint8Array[],
): Promise<number> {
  const { stream, subject } = log;
  const results = await Promise.allSettled(
    frames.map(async (frame, index) => {
      const expect = { streamName: stream, lastSequence: after + index };
      const ack = await session.streams.publish(subject, frame, { expect, msgID: String(after + index + 1) });
      if (ack.seq !== after + index + 1) throw new LogFencedError(`the log ends at ${ack.seq}`);
    }),
  );
  const stored = results.findIndex(({ status }) => status === "rejected");
  if (stored === -1) return results.length;
  if (stored > 0) return stored;
  throw await reasonOf(session, log, (results[0] as PromiseRejectedResult).reason);
}

/** What a failed append means. */
async function reasonOf({ manager }: Session, { stream }: StreamName, error: unknown): Promise<unknown> {
  if (isFencing(error)) return new LogFencedError("the log does not take the frame", { cause: error });
  if (!isUnanswered(error)) return error;
  // Nobody listens to the subject: there is no such log, or the server is not ready.
  try {
    await manager.streams.info(stream);
  } catch (cause) {
    if (isNotFound(cause)) return new LogFencedError("the log is gone", { cause });
  }
  return error;
}
