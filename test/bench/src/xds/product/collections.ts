import { Session } from "node:inspector/promises";
import { setTimeout as delay } from "node:timers/promises";
import { threadId } from "node:worker_threads";
import type { Collection } from "./longest-slice.ts";

/** Watches when this thread collects garbage. */
export interface CollectionWatch {
  /** Those since the last call, in the milliseconds of `monotonicMs`. One may lie within another one. Takes a moment. */
  take(): Promise<readonly Collection[]>;
}

/** An event of V8's tracing. Times are microseconds of the monotonic clock. */
interface TraceEvent {
  readonly name: string;
  readonly ph: string;
  readonly tid: number;
  readonly ts: number;
  readonly dur?: number;
  /** The part of it in which the thread had a core. */
  readonly tdur?: number;
  readonly args?: { readonly name?: unknown };
}

/**
 * How long V8's threads get to end the sweeping that they are at. Node writes out the events of all threads as tracing stops, also one
 * that a thread is just filling in, and reads memory that is nobody's then (`NodeTraceBuffer::Flush` in Node's src/tracing; seen as a
 * segmentation fault of one process in forty where tracing stopped right after much was allocated).
 */
const sweepingMs = 250;

/** V8's own name of the spans of its collector. Source: `TRACE_GC_CATEGORIES` in V8's src/heap/gc-tracer.h. */
const category = "disabled-by-default-v8.gc";

/**
 * Has V8 trace its collector. The entries of `PerformanceObserver` leave out the steps of marking that V8 takes while memory is
 * allocated: some milliseconds each, and many in one turn, where much is received. Only for the main thread.
 */
export async function watchCollections(): Promise<CollectionWatch> {
  if (threadId !== 0) throw new Error("collections are traced on the main thread only");
  const session = new Session();
  session.connect();
  let events: TraceEvent[] = [];
  session.on("NodeTracing.dataCollected", ({ params }) => {
    events = events.concat(params.value as unknown as TraceEvent[]);
  });
  const start = () => session.post("NodeTracing.start", { traceConfig: { includedCategories: [category] } });
  await start();
  return {
    async take() {
      await delay(sweepingMs);
      // What was traced is told when it stops.
      await session.post("NodeTracing.stop");
      const taken = events;
      events = [];
      await start();
      return ofMainThread(taken);
    },
  };
}

/** V8 collects in threads of its own, too; those hold nobody up. */
function ofMainThread(events: readonly TraceEvent[]): readonly Collection[] {
  const main = events.find(({ args, name }) => name === "thread_name" && args?.name === "JavaScriptMainThread")?.tid;
  if (main === undefined) throw new Error("the tracing of Node does not name the main thread");
  return events
    .filter(({ ph, tid }) => ph === "X" && tid === main)
    .map(({ dur = 0, tdur = 0, ts }) => ({ from: ts / 1000, until: (ts + dur) / 1000, cpu: tdur / 1000 }));
}

/** Milliseconds of the clock that V8's tracing has, too. */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}
