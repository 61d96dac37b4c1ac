import type { RegistryId, ServiceKey } from "@signalbox/model";
import type { GuardRule } from "../rules.ts";

/** Whom a guard watches, and by which rules. */
export interface RegistryGuardOptions {
  readonly registry: RegistryId;
  /** For the source as a whole. Its `maxServiceShrink` is not read. */
  readonly rule: GuardRule;
  /** For one service. Its `maxSourceShrink` is not read. */
  ruleOf(service: ServiceKey): GuardRule;
}
