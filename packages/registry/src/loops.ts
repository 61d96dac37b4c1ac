import type { Backoff } from "./backoff.ts";
import type { Clock } from "./clock.ts";
import { pause } from "./pause.ts";
import type { Problem, RegistrySink, RegistryUpdate } from "./registry.ts";
import { SourceError } from "./source-error.ts";

/** What every loop over a source needs. */
export interface LoopOptions {
  readonly sink: RegistrySink;
  readonly signal: AbortSignal;
  readonly clock: Clock;
  /** Waits after failures. The loop resets it when the source is healthy. */
  readonly backoff: Backoff;
}

/** A loop that reads the whole source again and again. */
export interface PollLoopOptions extends LoopOptions {
  /**
   * One complete read: what to push, or `undefined` where nothing changed since the last read of this run. The first
   * read of a run gives a snapshot. Throws when the read failed or was not complete; a SourceError says which problem
   * it is. Must end when the signal aborts.
   */
  read(signal: AbortSignal): Promise<RegistryUpdate | undefined>;
  /** Pause between two good reads, in milliseconds. 0 where the read itself waits (blocking queries). */
  readonly intervalMs: number;
  /** Share of the interval, 0 to 1, by which a pause may be shorter or longer. Default 0.1. */
  readonly jitter?: number;
  /** A number from 0 (inclusive) to 1 (exclusive). Default `Math.random`. */
  readonly random?: () => number;
}

/**
 * Reads until the signal aborts, then resolves. A good read is pushed or, where nothing changed, told as `alive`; a failed
 * one is told as `degraded` and tried again after the backoff. Rejects only with a permanent SourceError.
 */
export async function pollLoop(options: PollLoopOptions): Promise<void> {
  const { intervalMs, jitter = 0.1, random = Math.random, sink, signal, clock, backoff } = options;
  let pushed = false;
  const once = async (): Promise<void> => {
    const update = await options.read(signal);
    if (signal.aborted) return;
    if (update === undefined && !pushed)
      throw new SourceError("PROTOCOL_ERROR", "the first read of a run gave no snapshot", { permanent: true });
    backoff.reset();
    if (update === undefined) sink.alive();
    else sink.push(update);
    pushed = true;
  };
  while (!signal.aborted) {
    const failure = await attempt(once, options);
    const pauseMs = failure ? backoff.next() : intervalMs * (1 + jitter * (2 * random() - 1));
    await pause(pauseMs, clock, signal);
  }
}

/** A loop that lists a source and then watches it. */
export interface WatchLoopOptions extends LoopOptions {
  /**
   * Lists, pushes a snapshot, and then pushes what the watch says, until the source ends the watch (resolves) or
   * something breaks (throws; a SourceError says which problem it is). Must end when the signal aborts.
   */
  session(signal: AbortSignal): Promise<void>;
  /** A session that lasted so long, in milliseconds, was healthy: the next one follows at once. Default 10000. */
  readonly steadyMs?: number;
}

/**
 * Runs sessions until the signal aborts, then resolves. A session that fails is told as `degraded`. After a short one
 * comes the backoff, whether it failed or not, so that a source that drops every watch is not hammered.
 * Rejects only with a permanent SourceError.
 */
export async function watchLoop(options: WatchLoopOptions): Promise<void> {
  const { steadyMs = 10_000, signal, clock, backoff } = options;
  while (!signal.aborted) {
    const startedAt = clock.now();
    await attempt(() => options.session(signal), options);
    if (clock.now() - startedAt >= steadyMs) backoff.reset();
    else await pause(backoff.next(), clock, signal);
  }
}

/** Whether the attempt failed. Throws what is permanent; a failure that the abort caused is none. */
async function attempt(act: () => Promise<void>, { sink, signal }: LoopOptions): Promise<boolean> {
  try {
    await act();
    return false;
  } catch (thrown) {
    if (signal.aborted) return false;
    const error = thrown instanceof Error ? thrown : new Error("the source failed", { cause: thrown });
    if (error instanceof SourceError && error.permanent) throw error;
    sink.degraded(problemOf(error), error);
    return true;
  }
}

function problemOf(error: Error): Problem {
  if (error instanceof SourceError) return error.problem;
  return error instanceof SyntaxError ? "PROTOCOL_ERROR" : "UNREACHABLE";
}
