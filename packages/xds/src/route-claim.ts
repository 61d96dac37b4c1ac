import type { Port } from "@signalbox/model";
import type { EncodedParts } from "./encoded-parts.ts";

/** A service's claim on domains of a route table. Full names win over derived ones, then the older service wins. */
export interface RouteClaim {
  readonly parts: EncodedParts;
  readonly port: Port;
  readonly full: readonly string[];
  readonly derived: readonly string[];
}
