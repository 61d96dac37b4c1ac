export { anyClient } from "./client.ts";
export { noRules } from "./host-rules.ts";
export type { Client } from "./client.ts";
export type { DestinationPolicy, HostRules, PortPolicy, Routing } from "./host-rules.ts";
export type { EnvoyPatch, RuleBook, RuleStatus, RuleTouches } from "./rule-book.ts";
export type { Rule } from "./rule.ts";
