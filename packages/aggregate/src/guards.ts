import { byCodeUnit, serviceKey, type RegistryId, type ServiceKey, type ServiceRecord } from "@signalbox/model";
import {
  fits,
  identify,
  NoGuardError,
  RegistryGuard,
  type GuardDecision,
  type GuardEvidence,
  type GuardRuling,
  type GuardStatus,
  type GuardStep,
  type Hold,
  type RegistryGuardOptions,
  type RemovalEvidence,
} from "@signalbox/policy";
import type { RegistryUpdate } from "@signalbox/registry";
import type { CatalogRules } from "./options.ts";

/** What guards work with. */
export interface GuardsOptions {
  readonly rules: CatalogRules;
  /** Hands on what may be believed of what a registry said. */
  believe(id: RegistryId, update: RegistryUpdate): void;
  /** Told of the registry's own services of which other endpoints are held than before. */
  heldChanged(id: RegistryId, services: readonly ServiceKey[]): void;
  /** Told of each decision, for logs and the journal. */
  decided(id: RegistryId, decision: GuardDecision, at: number): void;
}

/** One guard for each registry that the rules name. What the others say is believed. */
export class Guards {
  readonly #options: GuardsOptions;
  readonly #guards = new Map<RegistryId, RegistryGuard>();

  constructor(options: GuardsOptions) {
    this.#options = options;
  }

  /** Has the guard of a registry that has not spoken yet begin from what was accepted before. False where nobody guards it. */
  begin(id: RegistryId, accepted: readonly ServiceRecord[]): boolean {
    if (!this.#isGuarded(id)) return false;
    this.#guards.set(id, RegistryGuard.restore(this.#optionsOf(id), accepted));
    return true;
  }

  /** Takes what a registry says, and hands on what may be believed of it. */
  take(id: RegistryId, update: RegistryUpdate, evidence: GuardEvidence): void {
    const guard = this.#guardOf(id);
    if (guard === undefined) {
      this.#options.believe(id, update);
      return;
    }
    const step = guard.take(update, evidence);
    // Workloads and objects are no affair of the guard.
    this.#options.believe(id, { ...update, ...step.accepted } as RegistryUpdate);
    this.#tell(id, step, evidence.now);
  }

  /** Lets go of what is due, and with evidence also of what that says is gone. */
  tick(now: number, evidenceFor?: (id: RegistryId) => RemovalEvidence): void {
    for (const [id, guard] of this.#guards) {
      if (evidenceFor !== undefined && guard.holds) this.#handOn(id, guard.tick(now, evidenceFor(id)), now);
      const due = guard.dueAt();
      if (due !== undefined && due <= now) this.#handOn(id, guard.tick(now), now);
    }
  }

  /** When there is something to let go of; undefined where there is nothing. */
  dueAt(): number | undefined {
    const times = [...this.#guards.values()].flatMap((guard) => guard.dueAt() ?? []);
    return times.length === 0 ? undefined : Math.min(...times);
  }

  /** A person's ruling. Throws a NoGuardError. */
  decide(id: string, ruling: GuardRuling, now: number, author: string): void {
    for (const [registry, guard] of this.#guards) {
      if (!guard.status().some((status) => status.id === id)) continue;
      this.#handOn(registry, guard.decide(id, ruling, now, author), now);
      return;
    }
    throw new NoGuardError(id);
  }

  /** What is held of a registry's service, by the id of the instance. */
  heldOf(id: RegistryId, own: ServiceKey): ReadonlyMap<string, Hold> {
    return this.#guards.get(id)?.heldOf(own) ?? nothing;
  }

  /** All guards that hold something. */
  status(): readonly GuardStatus[] {
    return [...this.#guards.values()].flatMap((guard) => guard.status()).sort((a, b) => byCodeUnit(a.id, b.id));
  }

  /** Forgets a registry. */
  drop(id: RegistryId): void {
    this.#guards.delete(id);
  }

  #handOn(id: RegistryId, step: GuardStep, now: number): void {
    this.#options.believe(id, step.accepted);
    this.#tell(id, step, now);
  }

  #tell(id: RegistryId, { decisions, heldChanged }: GuardStep, now: number): void {
    if (heldChanged.length > 0) this.#options.heldChanged(id, heldChanged);
    for (const decision of decisions) this.#options.decided(id, decision, now);
  }

  #guardOf(id: RegistryId): RegistryGuard | undefined {
    if (!this.#isGuarded(id)) return undefined;
    let guard = this.#guards.get(id);
    if (guard === undefined) {
      guard = new RegistryGuard(this.#optionsOf(id));
      this.#guards.set(id, guard);
    }
    return guard;
  }

  #isGuarded(id: RegistryId): boolean {
    return this.#options.rules.guarded.some((pattern) => fits(pattern, id));
  }

  #optionsOf(registry: RegistryId): RegistryGuardOptions {
    const { rules } = this.#options;
    return { registry, rule: rules.guard, ruleOf: (own) => rules.of(canonicalKey(rules, registry, own)).guard };
  }
}

const nothing: ReadonlyMap<string, Hold> = new Map();

function canonicalKey(rules: CatalogRules, id: RegistryId, own: ServiceKey): ServiceKey {
  const slash = own.indexOf("/");
  const { hostname, namespace } = identify(rules.identity, id, {
    namespace: own.slice(0, slash),
    hostname: own.slice(slash + 1),
  });
  return serviceKey({ hostname, namespace });
}
