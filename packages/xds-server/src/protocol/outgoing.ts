import type { Resource } from "../resource.ts";
import { byCodeUnits } from "../code-units.ts";
import type { Frame } from "./frame.ts";

/** A response to be written, and what in it is new to the client. */
export interface Outgoing {
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

/** Resources in the order in which they leave. */
export function sortedByName(resources: Iterable<Resource>): Resource[] {
  return [...resources].sort((a, b) => byCodeUnits(a.name, b.name));
}
