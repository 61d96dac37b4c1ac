import { byCodeUnit, serviceKey, type RegistryId, type ServiceKey } from "@signalbox/model";
import {
  fits,
  identify,
  RegistryGuard,
  type GuardDecision,
  type GuardEvidence,
  type GuardStatus,
  type GuardStep,
  type Hold,
} from "@signalbox/policy";
import type { RegistryUpdate } from "@signalbox/registry";
import type { CatalogRules } from "./options.ts";

/** What guards work with. */
export interface GuardsOptions {
  readonly rules: CatalogRules;
  /** Hands on what may be believed of what a registry said. */
  believe(id: RegistryId, update: RegistryUpdate): void;
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

  /** Takes what a registry says, and hands on what may be believed of it. */
  take(id: RegistryId, update: RegistryUpdate, evidence: GuardEvidence): void {
    const guard = this.#guardOf(id);
    if (guard === undefined) {
      this.#options.believe(id, update);
      return;
    }
    const step = guard.take(update, evidence);
    const { accepted } = step;
    const others = {
      ...(update.workloads && { workloads: update.workloads }),
      ...(update.objects && { objects: update.objects }),
    };
    this.#options.believe(id, { ...others, ...accepted } as RegistryUpdate);
    this.#tell(id, step, evidence.now);
  }

  /** Lets go of what is due. */
  tick(now: number): void {
    for (const [id, guard] of this.#guards) {
      const due = guard.dueAt();
      if (due !== undefined && due <= now) this.#handOn(id, guard.tick(now), now);
    }
  }

  /** When there is something to let go of; undefined where there is nothing. */
  dueAt(): number | undefined {
    const times = [...this.#guards.values()].flatMap((guard) => guard.dueAt() ?? []);
    return times.length === 0 ? undefined : Math.min(...times);
  }

  /** A person's decision. Throws where there is no guard with this id. */
  decide(id: string, decision: Parameters<RegistryGuard["decide"]>[1], now: number, author: string): void {
    for (const [registry, guard] of this.#guards) {
      if (!guard.status().some((status) => status.id === id)) continue;
      this.#handOn(registry, guard.decide(id, decision, now, author), now);
      return;
    }
    throw new UnknownGuardError(id);
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

  #tell(id: RegistryId, { decisions }: GuardStep, now: number): void {
    for (const decision of decisions) this.#options.decided(id, decision, now);
  }

  #guardOf(id: RegistryId): RegistryGuard | undefined {
    const { rules } = this.#options;
    if (!rules.guarded.some((pattern) => fits(pattern, id))) return undefined;
    let guard = this.#guards.get(id);
    if (guard === undefined) {
      guard = new RegistryGuard({
        registry: id,
        rule: rules.guard,
        ruleOf: (own) => rules.of(canonicalKey(rules, id, own)).guard,
      });
      this.#guards.set(id, guard);
    }
    return guard;
  }
}

/** Thrown when there is no guard with an id. */
export class UnknownGuardError extends Error {
  readonly code = "SBX_NO_GUARD";
  readonly id: string;

  constructor(id: string) {
    super(`there is no guard ${id}`);
    this.name = "UnknownGuardError";
    this.id = id;
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
