import type { BusClock } from "../clock.ts";
import { LogFencedError } from "../log/engine.ts";
import type { NatsConnector, Session } from "./connection.ts";
import { isConflict, isFencing, isNotFound, isRefusal, isUnanswered } from "./errors.ts";
import type { StreamName } from "./names.ts";

/** So many frames are on their way at a time. More than one is safe only in a log of which this process is the one writer. */
const windowFrames = 64;

/** Milliseconds for which an append that makes no progress is tried again, and between two attempts. */
const patience = { totalMs: 4000, pauseMs: 100 } as const;

/**
 * Appends frames, in windows. Each frame says behind which position it belongs, so none is stored twice: where the outcome
 * is not known, the end of the log tells how far we came, because nobody else writes to it, and the rest is sent again.
 */
export async function appendFrames(
  connector: NatsConnector,
  clock: BusClock,
  log: StreamName,
  after: number,
  frames: readonly Uint8Array[],
  signal: AbortSignal,
): Promise<void> {
  let progress: Progress = { stored: 0, certain: true };
  let giveUpAt = clock.now() + patience.totalMs;
  while (progress.stored < frames.length) {
    const before = progress;
    try {
      progress = await connector.use(signal, (session) => appendSome(session, log, after, frames, before));
      giveUpAt = clock.now() + patience.totalMs;
    } catch (error) {
      signal.throwIfAborted();
      // What was sent over a lost connection may still arrive, even after we asked for the end of the log.
      const late = !before.certain && error instanceof LogFencedError && isConflict(error.cause);
      const final = isRefusal(error) || (error instanceof LogFencedError && !late);
      if (final || clock.now() >= giveUpAt) throw error;
      progress = { ...before, certain: false };
      await clock.sleep(patience.pauseMs, signal);
    }
  }
}

/** How far an append came. */
interface Progress {
  /** So many frames are stored, from the first on. */
  readonly stored: number;
  /** Whether no more than these are. */
  readonly certain: boolean;
}

/** Sends one window. Rejects where it brings nothing. */
async function appendSome(
  session: Session,
  log: StreamName,
  after: number,
  frames: readonly Uint8Array[],
  before: Progress,
): Promise<Progress> {
  const from = before.certain ? before.stored : (await endOf(session, log)) - after;
  if (from < before.stored || from > frames.length) throw new LogFencedError(`the log ends at ${after + from}`);
  const window = frames.slice(from, from + windowFrames);
  const stored = await appendWindow(session, log, after + from, window);
  return { stored: from + stored, certain: stored === window.length };
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
      await session.streams.publish(subject, frame, { expect });
    }),
  );
  const stored = results.findIndex(({ status }) => status === "rejected");
  if (stored === -1) return results.length;
  if (stored > 0) return stored;
  throw await reasonOf(session, log, (results[0] as PromiseRejectedResult).reason);
}

/** What a failed append means. */
async function reasonOf(session: Session, log: StreamName, error: unknown): Promise<unknown> {
  if (isFencing(error)) return new LogFencedError("the log does not take the frame", { cause: error });
  if (!isUnanswered(error)) return error;
  // Nobody listens to the subject: there is no such log, or the server is not ready.
  const answer = await endOf(session, log).catch((cause: unknown) => cause);
  return answer instanceof LogFencedError ? answer : error;
}

/** The position of the last frame. Rejects with a LogFencedError where there is no such log. */
async function endOf({ manager }: Session, { stream }: StreamName): Promise<number> {
  try {
    return (await manager.streams.info(stream)).state.last_seq;
  } catch (cause) {
    if (isNotFound(cause)) throw new LogFencedError("the log is gone", { cause });
    throw cause;
  }
}
