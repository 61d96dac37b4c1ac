import type { DestinationPolicy, Routing } from "@signalbox/traffic";
import type { Destinations } from "./routing/context.ts";

/** Rules of one host for one kind of client, and what they know of the services to which they lead. */
export interface AppliedRules {
  /** Equal text, equal rules. */
  readonly key: string;
  readonly routing: Routing | undefined;
  readonly destination: DestinationPolicy | undefined;
  readonly destinations: Destinations;
  /** Only rules know the host: it has routes, and no clusters. */
  readonly bare?: true;
}
