import { writeFileSync } from "node:fs";
import { Session, type HeapProfiler, type Profiler } from "node:inspector";

/** Watches where this process spends time and memory. It makes it slower. */
export class ProcessProfiler {
  readonly #session = new Session();

  /** Starts at once. `microseconds`: between two looks at the stack. */
  constructor(microseconds: number) {
    this.#session.connect();
    this.#session.post("Profiler.enable");
    this.#session.post("Profiler.setSamplingInterval", { interval: microseconds });
    this.#session.post("Profiler.start");
  }

  /** Watches allocations as well: one of so many bytes is looked at. */
  watchHeap(bytes: number): void {
    this.#session.post("HeapProfiler.enable");
    this.#session.post("HeapProfiler.startSampling", { samplingInterval: bytes });
  }

  /** What was allocated since it is watched and is alive. */
  heap(): HeapProfiler.SamplingHeapProfile {
    let found: HeapProfiler.SamplingHeapProfile | undefined;
    // A session on the same thread answers before `post` returns.
    this.#session.post("HeapProfiler.getSamplingProfile", (error, answer) => {
      if (error === null) found = answer.profile;
    });
    if (found === undefined) throw new TypeError("allocations are not watched");
    return found;
  }

  /** Where time was spent since the start, or since the last call. */
  cpu(): Profiler.Profile {
    let found: Profiler.Profile | undefined;
    this.#session.post("Profiler.stop", (error, answer) => {
      if (error === null) found = answer.profile;
    });
    this.#session.post("Profiler.start");
    if (found === undefined) throw new TypeError("the profiler did not run");
    return found;
  }
}

/** Writes a profile so that Chrome's developer tools read it. */
export function writeProfile(path: string, profile: object): void {
  writeFileSync(path, JSON.stringify(profile));
}
