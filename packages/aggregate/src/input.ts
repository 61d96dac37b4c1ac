import type { RegistryId } from "@signalbox/model";
import type { GuardDecision, GuardRuling, Override } from "@signalbox/policy";
import type { RegistryUpdate } from "@signalbox/registry";
import type { SourceState } from "./freshness.ts";

/** Something that decides about the catalog. The same inputs at the same times make the same catalog. */
export type AggregateInput = { /** Epoch milliseconds. */ readonly at: number } & (
  | { readonly type: "update"; readonly registry: RegistryId; readonly update: RegistryUpdate }
  | { readonly type: "read"; readonly registry: RegistryId }
  | { readonly type: "state"; readonly registry: RegistryId; readonly state: SourceState }
  | { readonly type: "decision"; readonly registry: RegistryId; readonly decision: GuardDecision }
  | { readonly type: "override"; readonly override: Override }
  | { readonly type: "override-removed"; readonly id: string; readonly author: string }
  | { readonly type: "guard"; readonly id: string; readonly ruling: GuardRuling; readonly author: string }
);
