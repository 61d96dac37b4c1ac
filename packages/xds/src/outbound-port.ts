import type { CatalogInstance, Port, Service } from "@signalbox/model";
import type { Routing } from "@signalbox/traffic";
import type { EncodedParts } from "./encoded-parts.ts";
import type { Destinations } from "./routing/context.ts";

/** One port of a service as its clients' listeners need it. */
export interface OutboundPort {
  readonly service: Service;
  readonly port: Port;
  readonly instances: readonly CatalogInstance[];
  readonly encoded: EncodedParts;
  /** The rules for its connections, which need the hosts that they send to; without either it has none. */
  readonly routing?: Routing | undefined;
  readonly destinations?: Destinations | undefined;
}
