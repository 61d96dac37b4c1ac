import { monitorEventLoopDelay } from "node:perf_hooks";
import type { ServerStats } from "./messages.ts";

/** Watches how late timers of one millisecond are. The watching itself costs about a hundredth of a core. Values are milliseconds and begin anew with each call. */
export function watchLoopDelay(): () => NonNullable<ServerStats["loop"]> {
  const histogram = monitorEventLoopDelay({ resolution: 1 });
  histogram.enable();
  return () => {
    const ms = (nanoseconds: number) => nanoseconds / 1e6;
    const found = {
      p50: ms(histogram.percentile(50)),
      p99: ms(histogram.percentile(99)),
      max: ms(histogram.max),
    };
    histogram.reset();
    return found;
  };
}
