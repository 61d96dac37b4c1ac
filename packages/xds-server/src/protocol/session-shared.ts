import type { Node } from "@signalbox/envoy-api/envoy/config/core/v3/base";
import type { XdsClock } from "../clock.ts";
import type { XdsEvent } from "../events.ts";
import type { ResourceSource } from "../source.ts";
import type { Peer } from "../transport.ts";
import type { Turns } from "../turns.ts";
import type { NameBudget } from "./name-budget.ts";
import type { NameTable } from "./names.ts";
import type { NameLimits } from "./request.ts";
import type { ViewStates } from "./view-states.ts";

/** What all streams of one server share. */
export interface SessionShared {
  readonly source: ResourceSource;
  readonly clock: XdsClock;
  /** When a change that goes to many streams is written to each. */
  readonly turns: Turns;
  /** Monotonic milliseconds, by which large responses are made in slices; a clock that stands still makes them at once. */
  readonly monotonic: () => number;
  /** Whether `monotonic` goes on, so that large work is worth a turn of its own. */
  readonly inSlices: boolean;
  readonly names: NameTable;
  readonly views: ViewStates;
  readonly budget: NameBudget;
  readonly limits: NameLimits & { readonly maxTypes: number; readonly nodeBytes: number };
  /** A reason refuses the client. */
  readonly authorize: (node: Node, peer: Peer) => string | undefined;
  /** How long one response, or an order between types, is waited for. Milliseconds. */
  readonly answerTimeoutMs: number;
  readonly controlPlane: string;
  readonly onEvent: (event: XdsEvent) => void;
  readonly nextNonce: () => string;
  readonly onClosed: (stream: number) => void;
}
