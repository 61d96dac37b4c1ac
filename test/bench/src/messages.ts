import type { Access } from "./api.ts";
import type { SourceName } from "./sources/source.ts";

/** What a measured process does. */
export type MeasuredTask =
  /** Runs the adapter of a source, an aggregate and a bus until the parent goes; with `serve`, a publisher and an xDS server as well. */
  | { readonly type: "adapter"; readonly source: SourceName; readonly config: unknown; readonly serve?: boolean }
  /** Reads all that the adapter reads at first, parses it, and ends. */
  | { readonly type: "bare"; readonly source: SourceName; readonly access: Access };

/** What the parent asks for. */
export type Question = "heap" | "cpu";

/** The catalog is there. */
export interface Synced {
  readonly type: "synced";
  readonly services: number;
  readonly instances: number;
  /** From the start of the adapter to the event. */
  readonly ms: number;
  /** CPU time of that. */
  readonly cpuMs: number;
  /** Where proxies are served, if they are. */
  readonly port?: number;
}

/** One event told that instances moved. */
export interface Moved {
  readonly type: "moved";
  readonly at: number;
  readonly addresses: readonly string[];
  /** The last poll before the event: when it was sent, and when its answer was there. Only of a source that is polled. */
  readonly poll?: Poll;
}

/** One poll of the adapter. */
export interface Poll {
  readonly sentAt: number;
  readonly answeredAt: number;
}

/** Memory after a collection of garbage, in bytes. */
export interface HeapAnswer {
  readonly type: "heap";
  /** JavaScript objects of the whole process. */
  readonly used: number;
  /** The same before the adapter was made: Node, the modules, and nothing else. */
  readonly before: number;
  /** Buffers outside of the heap. */
  readonly external: number;
  readonly rss: number;
}

/** CPU time that the process has used so far. */
export interface CpuAnswer {
  readonly type: "cpu";
  readonly at: number;
  readonly ms: number;
}

/** A bare read is done. */
export interface BareAnswer {
  readonly type: "bare";
  readonly ms: number;
  readonly cpuMs: number;
  readonly answers: number;
  readonly bytes: number;
}

/** What a measured process says. */
export type Message = Synced | Moved | HeapAnswer | CpuAnswer | BareAnswer;
