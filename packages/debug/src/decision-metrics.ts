import { byCodeUnit } from "@signalbox/model";
import type { Instruments } from "./instruments.ts";
import type { DecisionsView, DriftCountView } from "./sources.ts";

/** One decision of a guard. `GuardDecision` of `@signalbox/policy` has this shape. */
export interface GuardDecisionView {
  readonly registry: string;
  /** `tripped`, `passed`, `held`, `released` or `extended`. */
  readonly type: string;
  /** Why it passed or was released. */
  readonly reason?: string;
}

/** What nearly every endpoint is, and what nobody can do anything about: how many is enough to know. */
const summed = new Set(["CONFIRMED", "UNVERIFIABLE"]);
/** At most so many series name a service, so that a cluster in trouble does not flood who watches it. */
const maxNamed = 1000;

/** Sets the gauges about decisions to what they are now. Nothing stays of what is over. */
export function readDecisions(instruments: Instruments, decisions: DecisionsView | undefined): void {
  readDrift(instruments, decisions);
  readGuards(instruments, decisions);
  instruments.set("signalbox_overrides", decisions?.overrides().length ?? 0);
  instruments.set("signalbox_service_name_collisions", decisions?.collisions().length ?? 0);
}

function readDrift(instruments: Instruments, decisions: DecisionsView | undefined): void {
  instruments.reset("signalbox_drift_instances");
  const { counts } = decisions?.drift(() => false) ?? { counts: [] };
  const named = counts.filter(({ verdict }) => !summed.has(verdict)).sort(mostFirst);
  const set = (service: string, { count, registry, verdict }: DriftCountView): void =>
    instruments.set("signalbox_drift_instances", count, { service, source: registry, verdict: verdict.toLowerCase() });
  for (const one of named.slice(0, maxNamed)) set(one.service, one);
  const rest = [...counts.filter(({ verdict }) => summed.has(verdict)), ...named.slice(maxNamed)];
  const sums = new Map<string, DriftCountView>();
  for (const one of rest) {
    const id = `${one.registry} ${one.verdict}`;
    sums.set(id, { ...one, count: one.count + (sums.get(id)?.count ?? 0) });
  }
  for (const sum of sums.values()) set("", sum);
}

function mostFirst(a: DriftCountView, b: DriftCountView): number {
  const place = ({ registry, service, verdict }: DriftCountView) => [service, registry, verdict].join("\0");
  return b.count - a.count || byCodeUnit(place(a), place(b));
}

function readGuards(instruments: Instruments, decisions: DecisionsView | undefined): void {
  instruments.reset("signalbox_guard_open");
  instruments.reset("signalbox_guard_held_endpoints");
  const open = new Map<string, number>();
  const held = new Map<string, { readonly registry: string; readonly scope: string; readonly endpoints: number }>();
  for (const { held: holding, registry, scope } of decisions?.guards() ?? []) {
    open.set(registry, (open.get(registry) ?? 0) + 1);
    const id = `${registry} ${scope}`;
    held.set(id, { registry, scope, endpoints: holding.endpoints + (held.get(id)?.endpoints ?? 0) });
  }
  for (const [registry, count] of open) instruments.set("signalbox_guard_open", count, { registry });
  for (const { endpoints, registry, scope } of held.values())
    instruments.set("signalbox_guard_held_endpoints", endpoints, { registry, scope });
}
