import { closeSync, openSync, readSync } from "node:fs";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { setImmediate as nextTurn } from "node:timers/promises";
import { monotonicMs, watchCollections } from "./collections.ts";
import { stretchesUnder } from "../profile/cpu-profile.ts";
import { longestSlice, longestWithin, type Turn } from "./longest-slice.ts";
import type { LoopStats } from "./messages.ts";
import { ProcessProfiler } from "./profiler.ts";

/** Watches the event loop of this process. */
export interface LoopWatch {
  /** What was seen since the last call, or since `forget`. What happens until it resolves is seen by nobody. */
  take(): Promise<LoopStats>;
  /** Nothing that was seen until now counts. */
  forget(): void;
}

/** A turn that is shorter is like any other: only the longest of these is remembered. */
const shortMs = 2;
const nanosecondsInMs = 1e6;
const lookEveryMicroseconds = 1000;

/** Is it a built module of the product? */
const isOfProduct = (url: string): boolean => /\/(?:packages|adapters)\/[^/]+\/dist\//.test(url);

/**
 * Watches how late timers of one millisecond are, how long the loop does not turn without garbage collection being the reason, and for how long
 * of it functions are to blame that are `meant`. The watching itself costs some hundredths of a core. It does not keep the process alive.
 */
export async function watchLoop(isMeant = isOfProduct): Promise<LoopWatch> {
  const histogram = monitorEventLoopDelay({ resolution: 1 });
  histogram.enable();
  const waitedMs = readWaited();
  let turns: Turn[] = [];
  let longestShort = 0;
  const collections = await watchCollections();
  const functions = new ProcessProfiler(lookEveryMicroseconds);
  let last = { at: monotonicMs(), waited: waitedMs() };
  setInterval(() => {
    const tick = { at: monotonicMs(), waited: waitedMs() };
    const ms = tick.at - last.at;
    if (ms < shortMs) longestShort = Math.max(longestShort, ms);
    else turns.push({ from: last.at, until: tick.at, waited: tick.waited - last.waited });
    last = tick;
  }, 1).unref();
  const forget = (): void => {
    histogram.reset();
    turns = [];
    longestShort = 0;
    last = { at: monotonicMs(), waited: waitedMs() };
  };
  return {
    async take() {
      // The present turn counts, too: the timer runs at its end.
      await nextTurn();
      await nextTurn();
      // Before the tracing stops, which holds up the loop.
      const [seen, short] = [[...turns], longestShort];
      const [p50, p99, max] = [histogram.percentile(50), histogram.percentile(99), histogram.max];
      const stretches = stretchesUnder(functions.cpu(), isMeant);
      const collected = await collections.take();
      const slice = Math.max(short, longestSlice(seen, collected));
      const own = longestWithin(seen, collected, stretches);
      forget();
      return {
        p50: p50 / nanosecondsInMs,
        p99: p99 / nanosecondsInMs,
        max: max / nanosecondsInMs,
        slice,
        own,
      };
    },
    forget,
  };
}

/**
 * Reads for how many milliseconds in all this thread could have run and got no core. Zero where the system does not say.
 * Source: sched-stats.rst of the Linux kernel, `/proc/<pid>/schedstat`, second field.
 */
function readWaited(): () => number {
  let file: number;
  try {
    file = openSync("/proc/thread-self/schedstat", "r");
  } catch {
    return () => 0;
  }
  const buffer = Buffer.alloc(80);
  process.once("exit", () => closeSync(file));
  return () => {
    const [, waited = "0"] = buffer.toString("latin1", 0, readSync(file, buffer, 0, buffer.length, 0)).split(" ");
    return Number(waited) / nanosecondsInMs;
  };
}
