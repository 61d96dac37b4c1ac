import type { RegistryId, ServiceKey } from "@signalbox/model";
import type { GuardDecision, GuardRuling, Override, RampState } from "@signalbox/policy";
import type { Problem, RegistryUpdate } from "@signalbox/registry";
import type { SourceState } from "./freshness.ts";
import type { RampChange } from "./ramp-status.ts";

/** Something that decides about the catalog. The same inputs at the same times make the same catalog. */
export type AggregateInput = { /** Epoch milliseconds. */ readonly at: number } & (
  | { readonly type: "update"; readonly registry: RegistryId; readonly update: RegistryUpdate }
  | { readonly type: "read"; readonly registry: RegistryId }
  | { readonly type: "state"; readonly registry: RegistryId; readonly state: SourceState }
  | {
      readonly type: "degraded";
      readonly registry: RegistryId;
      readonly problem: Problem;
      /** For people. */
      readonly message: string;
    }
  | { readonly type: "decision"; readonly registry: RegistryId; readonly decision: GuardDecision }
  /** What was done about an endpoint that no workload has, which follows from the rest. */
  | {
      readonly type: "withdrawal";
      readonly registry: RegistryId;
      readonly service: ServiceKey;
      /** Id of the endpoint, and its address as `instanceKey` writes it. */
      readonly instance: string;
      readonly address: string;
      /** Since when it was a ghost, in epoch milliseconds. */
      readonly since: number;
      /**
       * `UNSUPPORTED`: its registry cannot be told. `DRY_RUN`: it would have been told. `GONE`: its source did not have it any more. `KEPT`: its
       * source says another thing of it than what was judged, and was told nothing.
       */
      readonly outcome: "DONE" | "FAILED" | "UNSUPPORTED" | "DRY_RUN" | "GONE" | "KEPT";
      /** Why it was kept, for people. */
      readonly detail?: string;
    }
  /** Nothing more is withdrawn until a person says so, which follows from the rest. */
  | { readonly type: "withdrawals-stopped"; /** For people. */ readonly reason: string }
  | { readonly type: "withdrawals-resumed"; readonly author: string }
  | { readonly type: "override"; readonly override: Override }
  | { readonly type: "override-removed"; readonly id: string; readonly author: string }
  | { readonly type: "guard"; readonly id: string; readonly ruling: GuardRuling; readonly author: string }
  | {
      readonly type: "ramp";
      readonly service: ServiceKey;
      readonly action: "rollback" | "resume";
      readonly author: string;
    }
  /** What a ramp did by itself, which follows from the rest. */
  | {
      readonly type: "ramp-state";
      readonly service: ServiceKey;
      readonly change: RampChange;
      readonly state: RampState;
      /** Why no step is taken, for people. */
      readonly why?: string;
    }
);
