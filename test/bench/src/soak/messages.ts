import type { SoakWorldSize } from "./soak-world.ts";

/** What the soaked process is started with. */
export interface SoakTask extends SoakWorldSize {
  readonly scale: number;
}

/** What it is asked. */
export type SoakQuestion = { readonly type: "change"; readonly second: number } | { readonly type: "weigh" };

/** What it says. Sizes are in bytes. */
export type SoakMessage = Ready | Changed | Weight;

/** It serves xDS at this port, and debug answers at this URL. */
export interface Ready {
  readonly type: "ready";
  readonly port: number;
  readonly debugUrl: string;
}

/** What it was asked to change is changed. */
export interface Changed {
  readonly type: "changed";
  /** By the product's own clock, in epoch milliseconds. */
  readonly at: number;
}

/** Its memory after a collection of garbage; `peak` is the largest that was resident since the question before. */
export interface Weight {
  readonly type: "weight";
  /** Objects and what they hold outside of the heap. */
  readonly live: number;
  readonly resident: number;
  readonly peak: number;
}
