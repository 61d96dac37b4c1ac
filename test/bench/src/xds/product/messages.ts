import type { MeshSize } from "../cell.ts";

/** What a process that serves a mesh is told. */
export interface ProductTask {
  readonly mesh: MeshSize;
  readonly probe?: "loop" | "slices";
}

/** It serves. */
export interface Serving {
  readonly type: "serving";
  readonly pid: number;
  readonly xdsPort: number;
  readonly triggerPort: number;
}

/** A stretch of time in which the process did nothing but this. */
export interface Slice {
  readonly ms: number;
  /** What ran longest in it: the type of the asynchronous resource, the name of the callback where there is one, and its time. */
  readonly parts: readonly { readonly what: string; readonly ms: number }[];
}

/** What the server says about itself. */
export interface ServerStats {
  /** Live objects of the heap, after a collection. */
  readonly heap_bytes: number;
  /** Live memory outside of the heap. */
  readonly external_bytes: number;
  /** Delays of the event loop since they were asked for last. */
  readonly loop?: { readonly p50: number; readonly p99: number; readonly max: number };
  /** The longest since they were asked for last. */
  readonly slices?: readonly Slice[];
}
