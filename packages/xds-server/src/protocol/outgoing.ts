import type { Steps } from "@signalbox/slices";
import type { Resource } from "../resource.ts";
import { byCodeUnits } from "../code-units.ts";
import type { Frame } from "./frame.ts";

/** What is due: a response, or that the client holds this version already. */
export type Outgoing = OutgoingFrame | { readonly holds: string };

/** A response to be written, and what in it is new to the client. */
export interface OutgoingFrame {
  readonly frame: Frame;
  /** Other streams that are sent the same may have the same object. */
  readonly fresh: readonly Resource[];
}

/** What building a response needs from the stream and the server. */
export interface BuildContext {
  readonly now: number;
  readonly controlPlane: string;
  /** Endpoint names whose cluster was sent on this stream after they were: the client waits for them even if unchanged. */
  readonly warming: { has(name: string): boolean };
  nextNonce(): string;
}

const runLength = 1_024;

/** Resources in the order in which they leave: by name, each name once. */
export function* sortedByName(resources: Iterable<Resource>): Steps<Resource[]> {
  const all = [...resources];
  let runs: Resource[][] = [];
  for (let at = 0; at === 0 || at < all.length; at += runLength) {
    if (at > 0) yield;
    runs.push(all.slice(at, at + runLength).sort((a, b) => byCodeUnits(a.name, b.name)));
  }
  while (runs.length > 1) {
    const longer: Resource[][] = [];
    for (let at = 0; at < runs.length; at += 2) longer.push(yield* merged(runs[at] ?? [], runs[at + 1] ?? []));
    runs = longer;
  }
  return runs[0] ?? [];
}

function* merged(a: readonly Resource[], b: readonly Resource[]): Steps<Resource[]> {
  const both: Resource[] = [];
  let [inA, inB] = [0, 0];
  for (;;) {
    const [one, other] = [a[inA], b[inB]];
    if (one === undefined || other === undefined) return both.concat(a.slice(inA), b.slice(inB));
    if (one.name < other.name) inA++;
    else inB++;
    both.push(one.name < other.name ? one : other);
    if (both.length % runLength === 0) yield;
  }
}
