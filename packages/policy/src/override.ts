import type { ServiceKey } from "@signalbox/model";

/** A person's word on one endpoint. It ends by itself. */
export interface Override {
  readonly id: string;
  readonly service: ServiceKey;
  /** The endpoint's primary address, as `instanceKey` writes it. */
  readonly address: string;
  readonly action:
    /** Counts as healthy, whatever registries say of its health. It does not stay by that when its registry no longer lists it. */
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
