import { byCodeUnit, contentHash, serviceKey } from "@signalbox/model";
import type { RegistryId, Service, ServiceInstance, ServiceKey, ServiceRecord } from "@signalbox/model";
import type { GuardRule } from "../rules.ts";
import { Churn } from "./churn.ts";
import type { Mover, SavedChurn } from "./churn.ts";
import { compareRecords, countByPort, placeOf, sizeOf, sizeWith } from "./compare.ts";
import { NoGuardError } from "./decision.ts";
import type { GuardScope, GuardStatus, Hold, ReleaseReason, TripReason } from "./decision.ts";
import { HeldService } from "./held-service.ts";
import type { Holder } from "./held-service.ts";
import { exceeds, OpenGuard } from "./open-guard.ts";
import type { SavedOpenGuard } from "./open-guard.ts";
import { deltaOf, StepInProgress } from "./step.ts";
import type { GuardStep } from "./step.ts";
import type { GuardedUpdate, GuardEvidence, RemovalEvidence } from "./update.ts";

/** Whom a guard watches, and by which rules. */
export interface RegistryGuardOptions {
  readonly registry: RegistryId;
  /** For the source as a whole. Its `maxServiceShrink` is not read. */
  readonly rule: GuardRule;
  /** For one service. Its `maxSourceShrink` is not read. */
  ruleOf(service: ServiceKey): GuardRule;
}

/** What a person decides about a guard. */
export type GuardRuling =
  /** What left is gone. */
  | { readonly type: "accept" }
  /** It is held until then, in epoch milliseconds, whatever the rule and the source's versions say. */
  | { readonly type: "extend"; readonly untilMs: number };

/** What a guard knows beside the accepted records, as plain JSON. */
export interface SavedGuard {
  readonly format: 1;
  readonly trips: number;
  readonly guards: readonly SavedOpenGuard[];
  readonly held: readonly {
    readonly service: ServiceKey;
    /** Whether the source no longer has the service. */
    readonly removed: boolean;
    readonly whole?: Holder;
    readonly instances: readonly { readonly id: string; readonly guard: string; readonly since: number }[];
  }[];
  readonly emptied: readonly ServiceKey[];
  readonly recent: readonly {
    readonly service: ServiceKey;
    readonly last: number;
    readonly kinds: readonly SavedChurn[];
  }[];
  readonly services: readonly SavedChurn[];
}

/** What came and went in one service not long ago. */
interface Recent {
  readonly churn: Churn;
  last: number;
  /** How many endpoints it adds to those that the source lost. May be too high by what is out of the window since. */
  lost: number;
}

/** What an update takes from one service and may be held. */
interface Candidate {
  readonly key: ServiceKey;
  readonly rule: GuardRule;
  /** The service as it was said last, for when its source no longer has it. */
  readonly service: Service;
  readonly missing: readonly ServiceInstance[];
  /** The service is gone and had no endpoints. */
  readonly bare: boolean;
}

const nothingHeld: ReadonlyMap<string, Hold> = new Map();
/** The kind of things that services are in a source. */
const aService = "";

/**
 * Stands between one registry and the catalog, and does not believe at once that many endpoints left together: a source that
 * restarted, lost its data or may no longer read half of it says the same as one whose services were really stopped.
 *
 * What comes and what changes passes at once. What leaves is counted, over the rule's window, for its service and for the whole source:
 * endpoints that others replace (in the same service and port, earlier or later within the window) do not count, nor do those that
 * something independent confirmed. Past the rule's limits the removals of that update, and those that follow, are held: they stay in what
 * is accepted until they are back or replaced, most of the baseline is back, the time is over, enough different versions of the
 * source showed the same, or a person says so. Removals accepted earlier in the window count, but do not come back.
 *
 * Fewer than `minRemoved` removals never trip. With the default of 2, a service that goes from one endpoint to none is believed at once,
 * unless its source is under guard for something else.
 *
 * Where `confirmations` is 0, versions end no hold. Sizes are of the port that has most endpoints: a process with three ports counts once.
 *
 * The first snapshot is believed as it is, but for a guard that was restored with the records accepted before.
 *
 * Deterministic: the steps follow from the calls and their arguments alone. It has no clock and does no I/O. An update costs in proportion to
 * the services that it is about, but for a snapshot, which is compared with all of them, and for the update that trips the source.
 * Not while one of its own callbacks runs may it be called again.
 */
export class RegistryGuard {
  readonly #options: RegistryGuardOptions;
  /** What the source says. */
  readonly #said = new Map<ServiceKey, ServiceRecord>();
  /** Services that had endpoints once and have none now. They count as gone, as those that the source no longer names. */
  readonly #emptied = new Set<ServiceKey>();
  readonly #held = new Map<ServiceKey, HeldService>();
  #source: OpenGuard | undefined;
  readonly #guards = new Map<ServiceKey, OpenGuard>();
  /** Services that something came to or left not long ago, in the order of the last time. */
  readonly #recent = new Map<ServiceKey, Recent>();
  #services = new Churn();
  /** The sum of the sizes of what the source says. */
  #size = 0;
  /** The sum of `lost` of the recent services. */
  #lost = 0;
  #trips = 0;
  #hasBaseline = false;

  constructor(options: RegistryGuardOptions) {
    this.#options = options;
  }

  /**
   * Makes a guard that goes on from what was accepted before, held endpoints included, so that already the first snapshot is judged. With
   * what `save` gave, holds go on too; what was saved as held and is not in the records is forgotten. Throws a TypeError for a saved state of
   * another format.
   */
  static restore(options: RegistryGuardOptions, accepted: readonly ServiceRecord[], saved?: SavedGuard): RegistryGuard {
    if (saved !== undefined && (saved.format as number) !== 1)
      throw new TypeError("the state of the guard is of another format");
    const guard = new RegistryGuard(options);
    guard.#restore(accepted, saved);
    return guard;
  }

  /**
   * What the guard knows, as plain JSON; together with the records that were accepted until now (which whoever keeps them need not keep twice)
   * it is all that `restore` needs.
   */
  save(): SavedGuard {
    return {
      format: 1,
      trips: this.#trips,
      guards: this.#open().map((guard) => guard.save()),
      held: [...this.#held].sort(byKey).map(([service, held]) => ({
        service,
        removed: !this.#said.has(service),
        ...(held.whole === undefined ? {} : { whole: held.whole }),
        instances: [...held.holds.values()].map(({ guard, since, instance: { id } }) => ({ id, guard, since })),
      })),
      emptied: [...this.#emptied].sort(byCodeUnit),
      recent: [...this.#recent].map(([service, { churn, last }]) => ({ service, last, kinds: churn.save() })),
      services: this.#services.save(),
    };
  }

  /** Takes what the registry says and says what of it may be believed now. `now` must not go back between calls. */
  take(update: GuardedUpdate, evidence: GuardEvidence): GuardStep {
    const step = new StepInProgress(this.#options.registry, evidence.now);
    const changes = this.#changesOf(update);
    if (this.#hasBaseline) {
      for (const key of changes.keys()) step.touched.add(key);
      this.#judge(changes, evidence, step);
      if (evidence.version !== undefined) this.#seeVersion(evidence.version, step);
    } else {
      for (const [key, record] of changes) this.#say(key, record);
      this.#hasBaseline = update.type === "snapshot";
      for (const key of changes.keys()) step.touched.add(key);
    }
    return this.#finish(step, update.type);
  }

  /**
   * Lets go of what is due: from each guard whose time is over one batch, by service and id. With evidence, also of everything held that
   * it says is gone; `take` asks only about the services of its update.
   */
  tick(now: number, evidence?: RemovalEvidence): GuardStep {
    const step = new StepInProgress(this.#options.registry, now);
    if (evidence !== undefined) {
      for (const key of [...this.#held.keys()].sort(byCodeUnit)) this.#applyEvidence(key, evidence, step);
      this.#recover(this.#open(), step);
    }
    for (const guard of this.#open()) {
      const rule = this.#ruleOf(guard);
      const due = guard.dueAt(rule);
      if (due === undefined || due > now) continue;
      if (!guard.releasing) this.#forget(guard);
      guard.releasingAt = now + Math.max(1, rule.releaseEveryMs);
      this.#releaseAll(guard, "time", step, { atMost: Math.max(1, Math.floor(rule.releaseBatch)) });
    }
    return this.#finish(step, "delta");
  }

  /**
   * Applies what a person decided about one guard. Throws a NoGuardError where there is none with this id (any more), and a RangeError
   * for a time that is not a finite number.
   */
  decide(id: string, ruling: GuardRuling, now: number, author: string): GuardStep {
    const guard = this.#open().find((open) => open.id === id);
    if (guard === undefined) throw new NoGuardError(id);
    const step = new StepInProgress(this.#options.registry, now);
    switch (ruling.type) {
      case "accept":
        this.#forget(guard);
        this.#releaseAll(guard, "operator", step, { author });
        break;
      case "extend":
        if (!Number.isFinite(ruling.untilMs)) throw new RangeError("untilMs is not a finite number");
        guard.extendedUntil = ruling.untilMs;
        guard.releasingAt = undefined;
        step.extended(guard, ruling.untilMs, author);
        break;
    }
    return this.#finish(step, "delta");
  }

  /** When `tick` has something to do next, in epoch milliseconds, perhaps in the past; `undefined`: never. */
  dueAt(): number | undefined {
    let next: number | undefined;
    for (const guard of this.#open()) {
      const due = guard.dueAt(this.#ruleOf(guard));
      if (due !== undefined && (next === undefined || due < next)) next = due;
    }
    return next;
  }

  /** Whether anything is held. */
  get holds(): boolean {
    return this.#held.size > 0;
  }

  /** The held endpoints of a service, by instance id. A view: it changes with the next call of the guard. */
  heldOf(service: ServiceKey): ReadonlyMap<string, Hold> {
    return this.#held.get(service)?.holds ?? nothingHeld;
  }

  /** The guards that hold something: first that of the source, then those of services, by key. */
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
    return this.#open().map((guard) => {
      const rule = this.#ruleOf(guard);
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
        ...(believesVersions(guard, rule)
          ? { versions: { seen: guard.versions.size, needed: rule.confirmations } }
          : {}),
        released: guard.released,
      };
    });
  }

  /** What the update says anew or of which something is held, by key, sorted; `undefined` for a service that is gone. */
  #changesOf(update: GuardedUpdate): ReadonlyMap<ServiceKey, ServiceRecord | undefined> {
    const changes = new Map<ServiceKey, ServiceRecord | undefined>();
    if (update.type === "snapshot") {
      const next = new Map(update.records.map((record) => [serviceKey(record.service), record]));
      for (const key of this.#said.keys()) if (!next.has(key)) changes.set(key, undefined);
      for (const [key, record] of next) if (this.#said.get(key) !== record) changes.set(key, record);
      for (const key of this.#held.keys()) changes.set(key, next.get(key));
    } else {
      for (const key of update.records?.removed ?? []) changes.set(key, undefined);
      for (const record of update.records?.upserted ?? []) changes.set(serviceKey(record.service), record);
    }
    return changes.size < 2 ? changes : new Map([...changes].sort(byKey));
  }

  #judge(
    changes: ReadonlyMap<ServiceKey, ServiceRecord | undefined>,
    evidence: GuardEvidence,
    step: StepInProgress,
  ): void {
    const { now } = step;
    this.#prune(now);
    const candidates: Candidate[] = [];
    const lostServices: Mover[] = [];
    const gotServices: Mover[] = [];
    for (const [key, record] of changes) {
      const rule = this.#options.ruleOf(key);
      const before = this.#said.get(key);
      const wasPresent = this.#isPresent(key);
      const { lost, got } = compareRecords(before, record);
      this.#say(key, record);
      const isPresent = this.#isPresent(key);
      const back = this.#return(key, record, step);
      const meant = this.#applyEvidence(key, evidence, step);
      const counts = lost.filter((instance) => {
        if (record !== undefined && !record.service.ports.some(({ name }) => name === instance.servicePort))
          return false;
        return evidence.confirmed?.(key, instance) !== true;
      });
      if (meant) {
        this.#passMeant(key, rule, counts, before, step);
        this.#dropRecent(key);
      }
      const missing = this.#move(key, rule, lost, meant ? [] : counts, without(got, back), step);
      const bare = record === undefined && before?.instances.length === 0 && !meant && !this.#held.has(key);
      if (before !== undefined && (missing.length > 0 || bare)) {
        candidates.push({ key, rule, service: (record ?? before).service, missing, bare });
      }
      if (isPresent && !wasPresent) gotServices.push({ id: key, kind: aService });
      if (wasPresent && !isPresent && rule.mode !== "accept" && (missing.length > 0 || bare)) {
        lostServices.push({ id: key, kind: aService });
      }
    }
    const gone = this.#moveServices(lostServices, gotServices, now);
    if (candidates.length > 0) this.#holdOrPass(candidates, gone, step);
    if (this.#source === undefined && this.#guards.size === 0) return;
    const involved = new Set<OpenGuard>();
    for (const key of changes.keys()) {
      for (const guard of [this.#source, this.#guards.get(key)]) {
        if (guard === undefined) continue;
        this.#look(guard, key);
        involved.add(guard);
      }
    }
    this.#recover(involved, step);
  }

  /** Takes note of what the source says about a service. */
  #say(key: ServiceKey, record: ServiceRecord | undefined): void {
    const before = this.#said.get(key);
    this.#size += sizeOf(countByPort(record)) - sizeOf(countByPort(before));
    if (record === undefined) {
      this.#said.delete(key);
      this.#emptied.delete(key);
      return;
    }
    this.#said.set(key, record);
    if (record.instances.length > 0) this.#emptied.delete(key);
    else if ((before?.instances.length ?? 0) > 0 || this.heldOf(key).size > 0) this.#emptied.add(key);
  }

  #isPresent(key: ServiceKey): boolean {
    return this.#said.has(key) && !this.#emptied.has(key);
  }

  get #present(): number {
    return this.#said.size - this.#emptied.size;
  }

  /** Lets go of what is back, and of what the service has no port for any more. Gives back the ids of what is back, as they are now. */
  #return(key: ServiceKey, record: ServiceRecord | undefined, step: StepInProgress): ReadonlySet<string> {
    const back = new Set<string>();
    const held = this.#held.get(key);
    if (held === undefined || record === undefined) return back;
    held.service = record.service;
    if (held.whole !== undefined) this.#release(key, undefined, "returned", step);
    if (held.holds.size === 0) return back;
    const ids = new Set(record.instances.map(({ id }) => id));
    const places = new Map(record.instances.map((instance) => [placeOf(instance), instance.id]));
    const ports = new Set(record.service.ports.map(({ name }) => name));
    for (const { instance } of [...held.holds.values()]) {
      const now = ids.has(instance.id) ? instance.id : places.get(placeOf(instance));
      if (now !== undefined) back.add(now);
      else if (ports.has(instance.servicePort)) continue;
      this.#release(key, instance.id, now === undefined ? "port-removed" : "returned", step);
      this.#excuse(key, instance);
    }
    return back;
  }

  /** Lets go of what the evidence says is gone. Gives back whether the service is meant to have no endpoints. */
  #applyEvidence(key: ServiceKey, evidence: RemovalEvidence, step: StepInProgress): boolean {
    const said = this.#said.get(key);
    const meant = (said?.instances.length ?? 0) === 0 && evidence.scaledToZero?.(key) === true;
    if (meant) this.#services.excuse({ id: key, kind: aService });
    const held = this.#held.get(key);
    if (held === undefined) return meant;
    if (held.whole !== undefined && meant) this.#release(key, undefined, "scaled-to-zero", step);
    for (const { instance } of [...held.holds.values()]) {
      if (!meant && evidence.confirmed?.(key, instance) !== true) continue;
      this.#expectFewer(key, instance, held);
      this.#release(key, instance.id, meant ? "scaled-to-zero" : "confirmed", step);
      this.#excuse(key, instance);
    }
    return meant;
  }

  /** Has the guards of a service no longer wait for one endpoint. */
  #expectFewer(key: ServiceKey, instance: ServiceInstance, held: HeldService): void {
    const accepted = new Map(countByPort(held.recordWith(this.#said.get(key))));
    const size = sizeOf(accepted);
    accepted.set(instance.servicePort, (accepted.get(instance.servicePort) ?? 1) - 1);
    const fewer = size - sizeOf(accepted);
    for (const guard of [this.#source, this.#guards.get(key)]) guard?.expectFewer(key, fewer);
  }

  /** Journals a service that was meant to have no endpoints and whose removal would have been held. */
  #passMeant(
    key: ServiceKey,
    rule: GuardRule,
    counts: readonly ServiceInstance[],
    before: ServiceRecord | undefined,
    step: StepInProgress,
  ): void {
    const removed = sizeOf(countByPort(before && { service: before.service, instances: counts }));
    if (!exceeds(removed, 0, rule.minRemoved, rule.maxServiceShrink)) return;
    step.passed(key, "scaled-to-zero", reasonOf("endpoints", removed, 0, rule.maxServiceShrink));
  }

  /** Notes what left a service and what came to it. Gives back what left and is not made up for. */
  #move(
    key: ServiceKey,
    rule: GuardRule,
    lost: readonly ServiceInstance[],
    counts: readonly ServiceInstance[],
    got: readonly ServiceInstance[],
    step: StepInProgress,
  ): readonly ServiceInstance[] {
    const { now } = step;
    let recent = this.#recent.get(key);
    if (lost.length === 0 && got.length === 0) {
      // Nothing moved; but the size that losses are seen against may be another.
      if (recent !== undefined) this.#count(key, recent, rule, now);
      return [];
    }
    recent ??= { churn: new Churn(), last: now, lost: 0 };
    recent.last = now;
    this.#recent.delete(key);
    this.#recent.set(key, recent);
    recent.churn.forget(now - this.#keepFor(rule));
    for (const instance of without(lost, new Set(counts.map(({ id }) => id)))) recent.churn.excuse(moverOf(instance));
    const { missing, spare } = recent.churn.change(counts.map(moverOf), got.map(moverOf), now);
    for (const mover of spare) {
      if (!this.#replace(key, mover, step)) recent.churn.came(mover, now);
    }
    this.#count(key, recent, rule, now);
    if (missing.length === 0) return [];
    const ids = new Set(missing.map(({ id }) => id));
    return counts.filter(({ id }) => ids.has(id));
  }

  /** Lets go of the held endpoint that left first among those that an arrival can replace. Gives back whether there was one. */
  #replace(key: ServiceKey, { kind }: Mover, step: StepInProgress): boolean {
    let first: Hold | undefined;
    for (const hold of this.#held.get(key)?.holds.values() ?? []) {
      if (hold.instance.servicePort !== kind) continue;
      if (first === undefined || hold.since < first.since || (hold.since === first.since && isBefore(hold, first))) {
        first = hold;
      }
    }
    if (first === undefined) return false;
    this.#release(key, first.instance.id, "replaced", step);
    this.#excuse(key, first.instance);
    return true;
  }

  /** Notes which services left the source and which came. Gives back those that left and are not made up for. */
  #moveServices(lost: readonly Mover[], got: readonly Mover[], now: number): ReadonlySet<string> {
    if (lost.length === 0 && got.length === 0) return new Set();
    this.#services.forget(now - this.#options.rule.windowMs);
    const { missing, spare } = this.#services.change(lost, got, now);
    for (const mover of spare) this.#services.came(mover, now);
    return new Set(missing.map(({ id }) => id));
  }

  /** Decides about what an update took. */
  #holdOrPass(candidates: readonly Candidate[], gone: ReadonlySet<string>, step: StepInProgress): void {
    const { rule: sourceRule } = this.#options;
    const { now } = step;
    const sourceWhy = this.#sourceTrip(now);
    const open = this.#source !== undefined && !this.#source.releasing;
    const sourceHolds = sourceRule.mode !== "accept" && (open || sourceWhy !== undefined);
    const forSource: Candidate[] = [];
    for (const candidate of candidates) {
      const { key, rule } = candidate;
      const own = this.#guards.get(key);
      const why = this.#serviceTrip(key, rule, now);
      if (rule.mode === "accept") {
        if (why === undefined) continue;
        step.passed(key, "mode-accept", why);
        this.#dropRecent(key);
      } else if (own !== undefined && !own.releasing) {
        this.#hold(own, candidate, step);
      } else if (why !== undefined && (!sourceHolds || holdsOtherwise(rule, sourceRule))) {
        this.#hold(this.#tripService(key, why, step), candidate, step);
      } else if (sourceHolds) {
        forSource.push(candidate);
      }
    }
    if (forSource.length > 0) {
      const guard = open || sourceWhy === undefined ? this.#source : this.#tripSource(sourceWhy, step);
      if (guard === undefined) return;
      for (const candidate of forSource) {
        this.#watch(guard, candidate.key, gone.has(candidate.key));
        this.#hold(guard, candidate, step);
      }
    } else if (sourceRule.mode === "accept" && sourceWhy !== undefined) {
      step.passed(undefined, "mode-accept", sourceWhy);
      this.#forgetAll();
    }
  }

  #serviceTrip(key: ServiceKey, rule: GuardRule, now: number): TripReason | undefined {
    const recent = this.#recent.get(key);
    if (recent === undefined) return undefined;
    const present = countByPort(this.#said.get(key));
    const size = sizeOf(present);
    const removed = sizeWith(present, recent.churn.goneSince(now - rule.windowMs)) - size;
    if (!exceeds(removed, size, rule.minRemoved, rule.maxServiceShrink)) return undefined;
    return reasonOf("endpoints", removed, size, rule.maxServiceShrink);
  }

  #sourceTrip(now: number): TripReason | undefined {
    const { minRemoved, maxSourceShrink: limit, windowMs } = this.#options.rule;
    const tooMany = () => exceeds(this.#lost, this.#size, minRemoved, limit);
    if (tooMany()) {
      this.#recount(now);
      if (tooMany()) return reasonOf("endpoints", this.#lost, this.#size, limit);
    }
    const services = this.#services.goneSince(now - windowMs).get(aService) ?? 0;
    return exceeds(services, this.#present, minRemoved, limit)
      ? reasonOf("services", services, this.#present, limit)
      : undefined;
  }

  #tripService(key: ServiceKey, why: TripReason, step: StepInProgress): OpenGuard {
    let guard = this.#guards.get(key);
    if (guard === undefined) {
      guard = this.#newGuard("service", key, why, why.baseline, 0, step.now);
      this.#guards.set(key, guard);
    } else {
      guard.retrip(step.now, why, why.baseline, 0);
    }
    guard.watch(key, why.baseline, false);
    step.tripped(guard);
    return guard;
  }

  #tripSource(counted: TripReason, step: StepInProgress): OpenGuard {
    this.#recount(step.now);
    const why: TripReason = this.#lostWholeServices(step.now) ? { ...counted, suspected: "AUTH" } : counted;
    const gone = this.#services.goneSince(step.now - this.#options.rule.windowMs).get(aService) ?? 0;
    const [baseline, services] = [this.#size + this.#lost, this.#present + gone];
    if (this.#source === undefined) {
      this.#source = this.#newGuard("source", undefined, why, baseline, services, step.now);
    } else {
      this.#source.retrip(step.now, why, baseline, services);
    }
    const guard = this.#source;
    this.#services.forget(step.now - this.#options.rule.windowMs);
    const goneServices = new Set(this.#services.goneIds(aService));
    for (const [key, { lost }] of this.#recent) if (lost > 0) this.#watch(guard, key, goneServices.has(key));
    for (const key of goneServices) this.#watch(guard, key as ServiceKey, true);
    step.tripped(guard);
    return guard;
  }

  /** Whether several services left as a whole, others are there, and nothing of those is missing. */
  #lostWholeServices(now: number): boolean {
    this.#services.forget(now - this.#options.rule.windowMs);
    const gone = new Set(this.#services.goneIds(aService));
    const short = [...this.#recent].filter(([, { lost }]) => lost > 0);
    return this.#present > 0 && short.length > 1 && short.every(([key]) => gone.has(key));
  }

  #newGuard(
    scope: GuardScope,
    service: ServiceKey | undefined,
    why: TripReason,
    baseline: number,
    services: number,
    since: number,
  ): OpenGuard {
    const { registry } = this.#options;
    const mark = contentHash([registry, service ?? null]).slice(0, 12);
    this.#trips++;
    return new OpenGuard({
      id: `${mark}-${this.#trips}`,
      scope,
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

  /** Has a guard watch what a service is short of. */
  #watch(guard: OpenGuard, key: ServiceKey, counted: boolean): void {
    const present = countByPort(this.#said.get(key));
    const gone = this.#recent.get(key)?.churn.goneSince(Number.NEGATIVE_INFINITY) ?? new Map<string, number>();
    guard.watch(key, sizeWith(present, gone), counted);
    this.#look(guard, key);
  }

  /** Has a guard see what a service has now. */
  #look(guard: OpenGuard, key: ServiceKey): void {
    if (guard.members.has(key)) guard.see(key, sizeOf(countByPort(this.#said.get(key))), this.#isPresent(key));
  }

  #hold(guard: OpenGuard, { key, service, missing, bare }: Candidate, step: StepInProgress): void {
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

  /** Lets go of an endpoint, or of the service itself. */
  #release(
    key: ServiceKey,
    id: string | undefined,
    reason: ReleaseReason,
    step: StepInProgress,
    author?: string,
  ): void {
    const held = this.#held.get(key);
    const holder = id === undefined ? held?.whole : held?.holds.get(id);
    if (held === undefined || holder === undefined) return;
    if (id === undefined) held.whole = undefined;
    else held.letGo(id);
    if (held.isEmpty) this.#held.delete(key);
    const guard = this.#guardOf(holder.guard, key);
    if (guard === undefined) return;
    guard.held--;
    guard.released++;
    step.released(guard, key, id, reason, author);
  }

  #releaseAll(
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
        this.#release(key, id, reason, step, author);
      }
    }
  }

  #recover(guards: Iterable<OpenGuard>, step: StepInProgress): void {
    for (const guard of guards) {
      if (guard.held > 0 && guard.recovered(this.#ruleOf(guard))) this.#releaseAll(guard, "recovery", step);
    }
  }

  /** Counts a version of the source for each guard whose removals it shows unchanged. */
  #seeVersion(version: string, step: StepInProgress): void {
    for (const guard of this.#open()) {
      if (guard.held === 0) continue;
      const rule = this.#ruleOf(guard);
      if (step.guardsChanged.has(guard)) guard.versions.clear();
      guard.versions.add(version);
      if (!believesVersions(guard, rule) || guard.versions.size < rule.confirmations) continue;
      this.#forget(guard);
      this.#releaseAll(guard, "versions", step);
    }
  }

  /** Has what left so far count no more, because it is believed. */
  #forget(guard: OpenGuard): void {
    if (guard.service === undefined) this.#forgetAll();
    else this.#dropRecent(guard.service);
  }

  #forgetAll(): void {
    this.#recent.clear();
    this.#lost = 0;
    this.#services = new Churn();
  }

  #dropRecent(key: ServiceKey): void {
    this.#lost -= this.#recent.get(key)?.lost ?? 0;
    this.#recent.delete(key);
    this.#services.excuse({ id: key, kind: aService });
  }

  #excuse(key: ServiceKey, instance: ServiceInstance): void {
    this.#recent.get(key)?.churn.excuse(moverOf(instance));
  }

  /** Forgets what is out of every window. */
  #prune(now: number): void {
    for (const [key, { last }] of this.#recent) {
      if (last > now - this.#keepFor(this.#options.ruleOf(key))) return;
      this.#lost -= this.#recent.get(key)?.lost ?? 0;
      this.#recent.delete(key);
    }
  }

  /** Counts what a service lost within the source's window. */
  #count(key: ServiceKey, recent: Recent, { mode }: GuardRule, now: number): void {
    const gone = recent.churn.goneSince(now - this.#options.rule.windowMs);
    const present = countByPort(this.#said.get(key));
    const lost = mode === "accept" ? 0 : sizeWith(present, gone) - sizeOf(present);
    this.#lost += lost - recent.lost;
    recent.lost = lost;
  }

  /** Leaves out what is out of the window by now. */
  #recount(now: number): void {
    for (const [key, recent] of this.#recent) this.#count(key, recent, this.#options.ruleOf(key), now);
  }

  #keepFor({ windowMs }: GuardRule): number {
    return Math.max(windowMs, this.#options.rule.windowMs);
  }

  #ruleOf({ service }: OpenGuard): GuardRule {
    return service === undefined ? this.#options.rule : this.#options.ruleOf(service);
  }

  #guardOf(id: string, key: ServiceKey): OpenGuard | undefined {
    if (this.#source?.id === id) return this.#source;
    return this.#guards.get(key);
  }

  #open(): readonly OpenGuard[] {
    const ofServices = [...this.#guards].sort(byKey).map(([, guard]) => guard);
    return this.#source === undefined ? ofServices : [this.#source, ...ofServices];
  }

  #accepted(key: ServiceKey): ServiceRecord | undefined {
    const said = this.#said.get(key);
    const held = this.#held.get(key);
    return held === undefined ? said : held.recordWith(said);
  }

  #finish(step: StepInProgress, type: "snapshot" | "delta"): GuardStep {
    for (const guard of step.guardsChanged) {
      if (guard.held > 0) continue;
      if (guard.service === undefined) this.#source = undefined;
      else this.#guards.delete(guard.service);
    }
    const recordOf = (key: ServiceKey) => this.#accepted(key);
    if (type === "delta") return step.finish({ type, records: deltaOf(step.touched, recordOf) });
    const keys = new Set([...this.#said.keys(), ...this.#held.keys()]);
    return step.finish({ type, records: deltaOf(keys, recordOf).upserted });
  }

  #restore(accepted: readonly ServiceRecord[], saved: SavedGuard | undefined): void {
    this.#hasBaseline = true;
    for (const record of accepted) this.#say(serviceKey(record.service), record);
    if (saved === undefined) return;
    this.#trips = saved.trips;
    const guards = new Map<string, OpenGuard>();
    for (const each of saved.guards) {
      const guard = new OpenGuard(each);
      guards.set(guard.id, guard);
      if (guard.service === undefined) this.#source = guard;
      else this.#guards.set(guard.service, guard);
    }
    for (const { service, removed, whole, instances } of saved.held) {
      const record = this.#said.get(service);
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
      this.#say(
        service,
        removed && rest.length === 0 ? undefined : Object.freeze({ ...record, instances: Object.freeze(rest) }),
      );
      this.#held.set(service, held);
    }
    for (const guard of guards.values()) {
      if (guard.held > 0) continue;
      if (guard.service === undefined) this.#source = undefined;
      else this.#guards.delete(guard.service);
    }
    this.#emptied.clear();
    for (const key of saved.emptied) if (this.#said.get(key)?.instances.length === 0) this.#emptied.add(key);
    this.#services = Churn.restore(saved.services);
    for (const { service, last, kinds } of saved.recent) {
      const recent: Recent = { churn: Churn.restore(kinds), last, lost: 0 };
      this.#recent.set(service, recent);
      this.#count(service, recent, this.#options.ruleOf(service), Number.NEGATIVE_INFINITY);
    }
  }
}

function believesVersions(guard: OpenGuard, { mode, confirmations }: GuardRule): boolean {
  return mode === "hold" && confirmations > 0 && guard.extendedUntil === undefined;
}

/** Whether one rule holds longer or shorter than the other, or for other reasons. */
function holdsOtherwise(one: GuardRule, other: GuardRule): boolean {
  return one.mode !== other.mode || one.holdForMs !== other.holdForMs;
}

function reasonOf(counted: TripReason["counted"], removed: number, left: number, limit: number): TripReason {
  return { counted, removed, baseline: removed + left, ratio: removed / (removed + left), limit };
}

function without(instances: readonly ServiceInstance[], ids: ReadonlySet<string>): readonly ServiceInstance[] {
  return ids.size === 0 ? instances : instances.filter(({ id }) => !ids.has(id));
}

function moverOf({ id, servicePort }: ServiceInstance): Mover {
  return { id, kind: servicePort };
}

function isBefore(one: Hold, other: Hold): boolean {
  return byCodeUnit(one.instance.id, other.instance.id) < 0;
}

function byKey(a: readonly [string, unknown], b: readonly [string, unknown]): number {
  return byCodeUnit(a[0], b[0]);
}
