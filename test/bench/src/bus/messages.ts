import type { BusAccess } from "./access.ts";
import type { WorldSize } from "./world.ts";

/** What a process of this benchmark is: it leads with a world at once, and reads when it is asked, or only reads. */
export interface BusTask {
  readonly access: BusAccess;
  /** The world that it leads with; absent in a process that only reads. */
  readonly leads?: WorldSize;
}

/** What the parent asks for. */
export type BusQuestion =
  | { readonly type: "read" }
  /** Publish these changes, one after the other, with a rest between them. */
  | { readonly type: "publish"; readonly from: number; readonly count: number; readonly restMs: number }
  /** Tell of all arrivals since the last time, as soon as this address has arrived. */
  | { readonly type: "arrivals"; readonly until: string }
  | { readonly type: "memory" };

/** What was asked for can be asked now. */
export interface Started {
  readonly type: "started";
}

/** The process leads: its snapshot is where readers find it. */
export interface Leading {
  readonly type: "leading";
  /** From the call to its end. */
  readonly ms: number;
  readonly cpuMs: number;
}

/** A fresh publisher is ready. All from the moment in which its bus was made. */
export interface Ready {
  readonly type: "ready";
  readonly services: number;
  readonly instances: number;
  /** Until its first event, which is the whole catalog. */
  readonly snapshot: Spent;
  /** Until the translator had taken it in. */
  readonly ready: Spent;
}

/** Time that passed and CPU time of all threads of the process, in milliseconds. */
export interface Spent {
  readonly ms: number;
  readonly cpuMs: number;
}

/** Changes were published. */
export interface Published {
  readonly type: "published";
  /** When each was given to the bus. */
  readonly sent: readonly number[];
  /** For all of them. */
  readonly ms: number;
  readonly cpuMs: number;
}

/** New addresses and when the publisher had the events that told of them. */
export interface Arrivals {
  readonly type: "arrivals";
  readonly at: readonly (readonly [address: string, at: number])[];
}

/** Memory after a collection of garbage, in bytes. */
export interface Memory {
  readonly type: "memory";
  readonly used: number;
  /** Before the process did anything. */
  readonly before: number;
  readonly external: number;
  readonly rss: number;
}

/** What a process of this benchmark says. */
export type BusMessage = Started | Leading | Ready | Published | Arrivals | Memory;
