import type { ServiceKey } from "@signalbox/model";

/** A person's word on one endpoint. It ends by itself. */
export interface Override {
  readonly id: string;
  readonly service: ServiceKey;
  /** The endpoint's primary address, as `instanceKey` writes it. */
  readonly address: string;
  readonly action:
    /** Stays, healthy, whatever its registry says of its health; it does not come back by that once it is gone. */
    | { readonly type: "hold" }
    /** Takes no new traffic. */
    | { readonly type: "drain" }
    | { readonly type: "weight"; readonly weight: number };
  readonly author: string;
  readonly reason: string;
  /** Epoch milliseconds. */
  readonly since: number;
  readonly until: number;
}
