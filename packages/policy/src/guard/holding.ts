import { byCodeUnit, contentHash } from "@signalbox/model";
import type { Service, ServiceInstance, ServiceKey, ServiceRecord } from "@signalbox/model";
import type { GuardRule } from "../rules.ts";
import type { GuardStatus, Hold, ReleaseReason, TripReason } from "./decision.ts";
import { HeldService } from "./held-service.ts";
import type { Holder } from "./held-service.ts";
import { OpenGuard } from "./open-guard.ts";
import type { SavedOpenGuard } from "./open-guard.ts";
import type { RegistryGuardOptions } from "./options.ts";
import type { StepInProgress } from "./step.ts";

/** What is held and by which guards, as plain JSON. */
export interface SavedHolding {
  readonly trips: number;
  readonly guards: readonly SavedOpenGuard[];
  readonly held: readonly {
    readonly service: ServiceKey;
    /** Whether the source no longer has the service. */
    readonly removed: boolean;
    readonly whole?: Holder;
    readonly instances: readonly { readonly id: string; readonly guard: string; readonly since: number }[];
  }[];
}

/** What is to be held of one service. */
export interface ToHold {
  readonly key: ServiceKey;
  /** The service as it was said last, for when its source no longer has it. */
  readonly service: Service;
  readonly missing: readonly ServiceInstance[];
  /** The service is gone and had no endpoints. */
  readonly bare: boolean;
}

const nothingHeld: ReadonlyMap<string, Hold> = new Map();

/** What is held, and the guards that hold it: one of the source, and one for each service. */
export class Holding {
  readonly #options: RegistryGuardOptions;
  readonly #held = new Map<ServiceKey, HeldService>();
  #source: OpenGuard | undefined;
  readonly #guards = new Map<ServiceKey, OpenGuard>();
  #trips = 0;

  constructor(options: RegistryGuardOptions) {
    this.#options = options;
  }

  /** What is held, by service. */
  get held(): ReadonlyMap<ServiceKey, HeldService> {
    return this.#held;
  }

  /** The guard of the source, while it holds something. */
  get source(): OpenGuard | undefined {
    return this.#source;
  }

  /** The guard of a service, while it holds something. */
  guardOf(key: ServiceKey): OpenGuard | undefined {
    return this.#guards.get(key);
  }

  /** The guards that may hold something of a service: of the source and of itself. */
  guardsOver(key: ServiceKey): readonly OpenGuard[] {
    return [this.#source, this.#guards.get(key)].filter((guard) => guard !== undefined);
  }

  /** All guards: first that of the source, then those of services, by key. */
  open(): readonly OpenGuard[] {
    const ofServices = [...this.#guards].sort(byKey).map(([, guard]) => guard);
    return this.#source === undefined ? ofServices : [this.#source, ...ofServices];
  }

  /** The rule that a guard follows. */
  ruleOf({ service }: OpenGuard): GuardRule {
    return service === undefined ? this.#options.rule : this.#options.ruleOf(service);
  }

  /** The held endpoints of a service, by instance id. */
  heldOf(key: ServiceKey): ReadonlyMap<string, Hold> {
    return this.#held.get(key)?.holds ?? nothingHeld;
  }

  /** What its source says of a service, and after that what is held. */
  recordWith(key: ServiceKey, said: ServiceRecord | undefined): ServiceRecord | undefined {
    const held = this.#held.get(key);
    return held === undefined ? said : held.recordWith(said);
  }

  /** Has the guard of a service trip, once more if it is there. */
  tripService(key: ServiceKey, why: TripReason, step: StepInProgress): OpenGuard {
    let guard = this.#guards.get(key);
    if (guard === undefined) {
      guard = this.#newGuard(key, why, why.baseline, 0, step.now);
      this.#guards.set(key, guard);
    } else {
      guard.retrip(step.now, why, why.baseline, 0);
    }
    guard.watch(key, why.baseline, false);
    step.tripped(guard);
    return guard;
  }

  /** Has the guard of the source trip, once more if it is there. `baseline` and `services`: what it had. */
  tripSource(why: TripReason, baseline: number, services: number, step: StepInProgress): OpenGuard {
    if (this.#source === undefined) this.#source = this.#newGuard(undefined, why, baseline, services, step.now);
    else this.#source.retrip(step.now, why, baseline, services);
    return this.#source;
  }

  /** Has a guard hold what left a service. */
  hold(guard: OpenGuard, { bare, key, missing, service }: ToHold, step: StepInProgress): void {
    let held = this.#held.get(key);
    if (held === undefined) {
      held = new HeldService(service);
      this.#held.set(key, held);
    }
    const holder: Holder = { guard: guard.id, scope: guard.scope, since: step.now };
    for (const instance of missing) {
      held.hold(instance, holder);
      guard.held++;
      step.held(guard, key, instance.id);
    }
    if (bare) {
      held.whole = holder;
      guard.held++;
      step.held(guard, key, undefined);
    }
  }

  /** Lets go of an endpoint, or without an id of the service itself. */
  release(key: ServiceKey, id: string | undefined, reason: ReleaseReason, step: StepInProgress, author?: string): void {
    const held = this.#held.get(key);
    const holder = id === undefined ? held?.whole : held?.holds.get(id);
    if (held === undefined || holder === undefined) return;
    if (id === undefined) held.whole = undefined;
    else held.letGo(id);
    if (held.isEmpty) this.#held.delete(key);
    const guard = this.#source?.id === holder.guard ? this.#source : this.#guards.get(key);
    if (guard === undefined) return;
    guard.held--;
    guard.released++;
    step.released(guard, key, id, reason, author);
  }

  /** Lets go of what a guard holds, by service and id, at most so many. */
  releaseAll(
    guard: OpenGuard,
    reason: ReleaseReason,
    step: StepInProgress,
    { atMost = Number.POSITIVE_INFINITY, author }: { readonly atMost?: number; readonly author?: string } = {},
  ): void {
    const keys = guard.service === undefined ? [...this.#held.keys()].sort(byCodeUnit) : [guard.service];
    let left = atMost;
    for (const key of keys) {
      const held = this.#held.get(key);
      if (held === undefined) continue;
      const ids: (string | undefined)[] = [...held.holds.values()]
        .filter((hold) => hold.guard === guard.id)
        .map(({ instance: { id } }) => id)
        .sort(byCodeUnit);
      if (held.whole?.guard === guard.id) ids.push(undefined);
      for (const id of ids) {
        if (left-- <= 0) return;
        this.release(key, id, reason, step, author);
      }
    }
  }

  /** Forgets those of the guards that hold nothing. */
  close(guards: Iterable<OpenGuard>): void {
    for (const guard of guards) {
      if (guard.held > 0) continue;
      if (guard.service === undefined) this.#source = undefined;
      else this.#guards.delete(guard.service);
    }
  }

  /** The guards, for people. */
  status(): readonly GuardStatus[] {
    const services = new Map<string, number>();
    const endpoints = new Map<string, number>();
    for (const { holds, whole } of this.#held.values()) {
      const ids = new Set<string>();
      for (const { guard } of holds.values()) {
        ids.add(guard);
        endpoints.set(guard, (endpoints.get(guard) ?? 0) + 1);
      }
      if (whole !== undefined) ids.add(whole.guard);
      for (const id of ids) services.set(id, (services.get(id) ?? 0) + 1);
    }
    return this.open().map((guard) => {
      const rule = this.ruleOf(guard);
      const holdUntil = guard.holdUntil(rule);
      return {
        id: guard.id,
        registry: this.#options.registry,
        scope: guard.scope,
        ...(guard.service === undefined ? {} : { service: guard.service }),
        since: guard.since,
        why: guard.why,
        mode: rule.mode,
        held: { services: services.get(guard.id) ?? 0, endpoints: endpoints.get(guard.id) ?? 0 },
        ...(holdUntil === undefined ? {} : { holdUntil }),
        releasing: guard.releasing,
        ...(guard.believesVersions(rule)
          ? { versions: { seen: guard.versions.size, needed: rule.confirmations } }
          : {}),
        released: guard.released,
      };
    });
  }

  /** What has to be kept of it. `isSaid`: whether the source has a service. */
  save(isSaid: (key: ServiceKey) => boolean): SavedHolding {
    return {
      trips: this.#trips,
      guards: this.open().map((guard) => guard.save()),
      held: [...this.#held].sort(byKey).map(([service, held]) => ({
        service,
        removed: !isSaid(service),
        ...(held.whole === undefined ? {} : { whole: held.whole }),
        instances: [...held.holds.values()].map(({ guard, since, instance: { id } }) => ({ id, guard, since })),
      })),
    };
  }

  /**
   * Goes on from what was kept. `recordOf`: what was accepted of a service. `say`: told what the source said of a service without what is held.
   */
  restore(
    { guards: saved, held: heldServices, trips }: SavedHolding,
    recordOf: (key: ServiceKey) => ServiceRecord | undefined,
    say: (key: ServiceKey, record: ServiceRecord | undefined) => void,
  ): void {
    this.#trips = trips;
    const guards = new Map<string, OpenGuard>();
    for (const each of saved) {
      const guard = new OpenGuard(each);
      guards.set(guard.id, guard);
      if (guard.service === undefined) this.#source = guard;
      else this.#guards.set(guard.service, guard);
    }
    for (const { service, removed, whole, instances } of heldServices) {
      const record = recordOf(service);
      if (record === undefined) continue;
      const held = new HeldService(record.service);
      const byId = new Map(record.instances.map((instance) => [instance.id, instance]));
      for (const { id, guard: guardId, since } of instances) {
        const [instance, guard] = [byId.get(id), guards.get(guardId)];
        if (instance === undefined || guard === undefined) continue;
        held.hold(instance, { guard: guardId, scope: guard.scope, since });
        guard.held++;
      }
      const wholeGuard = whole && guards.get(whole.guard);
      if (whole !== undefined && wholeGuard !== undefined) {
        held.whole = whole;
        wholeGuard.held++;
      }
      if (held.isEmpty) continue;
      const rest = record.instances.filter(({ id }) => !held.holds.has(id));
      say(
        service,
        removed && rest.length === 0 ? undefined : Object.freeze({ ...record, instances: Object.freeze(rest) }),
      );
      this.#held.set(service, held);
    }
    this.close(guards.values());
  }

  #newGuard(
    service: ServiceKey | undefined,
    why: TripReason,
    baseline: number,
    services: number,
    since: number,
  ): OpenGuard {
    const mark = contentHash([this.#options.registry, service ?? null]).slice(0, 12);
    this.#trips++;
    return new OpenGuard({
      id: `${mark}-${this.#trips}`,
      scope: service === undefined ? "source" : "service",
      ...(service === undefined ? {} : { service }),
      since,
      why,
      baseline,
      services,
      released: 0,
      versions: [],
      members: [],
    });
  }
}

function byKey(a: readonly [string, unknown], b: readonly [string, unknown]): number {
  return byCodeUnit(a[0], b[0]);
}
