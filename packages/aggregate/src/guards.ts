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
import type { Steps } from "@signalbox/slices";
import type { CatalogRules } from "./options.ts";

/** What guards work with. */
export interface GuardsOptions {
  readonly rules: CatalogRules;
  /** Hands on what may be believed of a registry now that it has not said just now. */
  believe(id: RegistryId, update: RegistryUpdate): void;
  /** Told of the registry's own services of which other endpoints are held than before. */
  heldChanged(id: RegistryId, services: readonly ServiceKey[]): void;
  /** Told of each decision, for logs and the journal. */
  decided(id: RegistryId, decision: GuardDecision): void;
}

/** What a guard made of an update. */
interface Taken {
  readonly believed: RegistryUpdate;
  tell(): void;
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

  /**
   * Takes what a registry says, in steps. Gives what may be believed of it, and `tell`, to be called once that is taken in. Until then nothing else
   * may be asked of the guards but what they hold.
   */
  *take(id: RegistryId, update: RegistryUpdate, evidence: GuardEvidence): Steps<Taken> {
    const guard = this.#guardOf(id);
    if (guard === undefined) return { believed: update, tell: () => undefined };
    const step = yield* guard.taking(update, evidence);
    return {
      // Workloads and objects are no affair of the guard.
      believed: { ...update, ...step.accepted } as RegistryUpdate,
      tell: () => this.#tell(id, step),
    };
  }

  /** Lets go of what is due, and with evidence also of what that says is gone. */
  tick(now: number, evidenceFor?: (id: RegistryId) => RemovalEvidence): void {
    for (const [id, guard] of this.#guards) {
      if (evidenceFor !== undefined && guard.holds) this.#handOn(id, guard.tick(now, evidenceFor(id)));
      const due = guard.dueAt();
      if (due !== undefined && due <= now) this.#handOn(id, guard.tick(now));
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
      this.#handOn(registry, guard.decide(id, ruling, now, author));
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

  #handOn(id: RegistryId, step: GuardStep): void {
    this.#options.believe(id, step.accepted);
    this.#tell(id, step);
  }

  #tell(id: RegistryId, { decisions, heldChanged }: GuardStep): void {
    if (heldChanged.length > 0) this.#options.heldChanged(id, heldChanged);
    for (const decision of decisions) this.#options.decided(id, decision);
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
