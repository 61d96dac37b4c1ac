import type { MeshSize } from "../cell.ts";

/** What a process that serves a mesh is told. */
export interface ProductTask {
  readonly mesh: MeshSize;
  readonly probe?: "loop" | "slices" | "profile";
  /** Where profiles go. */
  readonly folder?: string;
}

/** Names of the profiles in their folder. */
export const profileFiles = { cpu: "product.cpuprofile", heap: "product.heapprofile" } as const;

/** Environment variable that says where a watched daemon writes the port on which it tells of its event loop. */
export const portFileVariable = "SIGNALBOX_BENCH_PORT_FILE";

/** It serves. */
export interface Serving {
  readonly type: "serving";
  readonly pid: number;
  readonly xdsPort: number;
  readonly triggerPort: number;
}

/** Something that took time. */
export interface Part {
  readonly what: string;
  readonly ms: number;
}

/** A stretch of time in which the process did nothing but this. */
export interface Slice {
  readonly ms: number;
  /** What ran longest in it: types of asynchronous resources, with the name of the callback where there is one. */
  readonly parts: readonly Part[];
  /** In which functions it was seen most often. */
  readonly functions: readonly Part[];
}

/** What the event loop of a process was like. Milliseconds. */
export interface LoopStats {
  /** How late timers were. */
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
  /** The longest work of the process without a turn of the loop, see `longestSlice`. */
  readonly slice: number;
  /** The longest time of one turn in functions of the product and what these call; zero of turns under 2 ms. */
  readonly own: number;
}

/** What the server says about itself. */
export interface ServerStats {
  /** Live objects of the heap, after a collection; a daemon does not say it. */
  readonly heap_bytes?: number;
  /** Live memory outside of the heap. */
  readonly external_bytes?: number;
  /** The event loop since it was asked for last; of several processes the largest of each. */
  readonly loop?: LoopStats;
  /** The longest since they were asked for last. */
  readonly slices?: readonly Slice[];
}
