import { byCodeUnit } from "@signalbox/model";
import type { Instruments } from "./instruments.ts";
import type { DecisionsView, DriftCountView, GuardView } from "./sources.ts";

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

/** To count drift takes at most this part of the time, however often somebody asks, as long as no count is older than a minute. */
const maxShare = 1 / 50;
const longestKeptMs = 60_000;

/** The gauges about decisions. */
export class DecisionMetrics {
  readonly #instruments: Instruments;
  readonly #now: () => number;
  #counts: readonly DriftCountView[] = [];
  #keptUntil = Number.NEGATIVE_INFINITY;

  /** `now` in epoch milliseconds. */
  constructor(instruments: Instruments, now: () => number) {
    this.#instruments = instruments;
    this.#now = now;
  }

  /** Sets the gauges to what is decided now. Nothing stays of what is over. */
  read(decisions: DecisionsView | undefined): void {
    const instruments = this.#instruments;
    setDrift(instruments, decisions === undefined ? [] : this.#drift(decisions));
    setGuards(instruments, decisions?.guards() ?? []);
    instruments.set("signalbox_overrides", decisions?.overrides().length ?? 0);
    instruments.set("signalbox_service_name_collisions", decisions?.collisions().length ?? 0);
    instruments.set("signalbox_withdrawals_stopped", decisions?.withdrawals()?.stopped === undefined ? 0 : 1);
  }

  #drift(decisions: DecisionsView): readonly DriftCountView[] {
    const begun = this.#now();
    // A clock that was set back must not keep the counts for as long as that.
    if (begun < this.#keptUntil && this.#keptUntil - begun <= longestKeptMs) return this.#counts;
    this.#counts = decisions.drift(() => false).counts;
    const ended = this.#now();
    this.#keptUntil = ended + Math.min(longestKeptMs, (ended - begun) / maxShare);
    return this.#counts;
  }
}

function setDrift(instruments: Instruments, counts: readonly DriftCountView[]): void {
  instruments.reset("signalbox_drift_instances");
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

function setGuards(instruments: Instruments, guards: readonly GuardView[]): void {
  instruments.reset("signalbox_guard_open");
  instruments.reset("signalbox_guard_held_endpoints");
  const open = new Map<string, number>();
  const held = new Map<string, { readonly registry: string; readonly scope: string; readonly endpoints: number }>();
  for (const { held: holding, registry, scope } of guards) {
    open.set(registry, (open.get(registry) ?? 0) + 1);
    const id = `${registry} ${scope}`;
    held.set(id, { registry, scope, endpoints: holding.endpoints + (held.get(id)?.endpoints ?? 0) });
  }
  for (const [registry, count] of open) instruments.set("signalbox_guard_open", count, { registry });
  for (const { endpoints, registry, scope } of held.values())
    instruments.set("signalbox_guard_held_endpoints", endpoints, { registry, scope });
}
