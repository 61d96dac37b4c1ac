import { byCodeUnit, serviceKey } from "@signalbox/model";
import type { ServiceInstance, ServiceKey, ServiceRecord } from "@signalbox/model";
import type { GuardRule } from "../rules.ts";
import { compareRecords, countByPort, sizeOf } from "./compare.ts";
import { Counting, reasonOf } from "./counting.ts";
import type { SavedCounting } from "./counting.ts";
import { NoGuardError } from "./decision.ts";
import type { GuardStatus, Hold, TripReason } from "./decision.ts";
import { Holding } from "./holding.ts";
import type { SavedHolding, ToHold } from "./holding.ts";
import { exceeds } from "./open-guard.ts";
import type { OpenGuard } from "./open-guard.ts";
import type { RegistryGuardOptions } from "./options.ts";
import { Releasing } from "./releasing.ts";
import { deltaOf, StepInProgress } from "./step.ts";
import type { GuardStep } from "./step.ts";
import type { GuardedUpdate, GuardEvidence, RemovalEvidence } from "./update.ts";

/** What a person decides about a guard. */
export type GuardRuling =
  /** What left is gone. */
  | { readonly type: "accept" }
  /** It is held until then, in epoch milliseconds, whatever the rule and the source's versions say. */
  | { readonly type: "extend"; readonly untilMs: number };

/** What a guard knows beside the accepted records, as plain JSON. */
export interface SavedGuard extends SavedHolding, SavedCounting {
  readonly format: 1;
}

/** What an update takes from one service and may be held. */
interface Candidate extends ToHold {
  readonly rule: GuardRule;
}

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
  readonly #counting: Counting;
  readonly #holding: Holding;
  readonly #releasing: Releasing;
  #hasBaseline = false;

  constructor(options: RegistryGuardOptions) {
    this.#options = options;
    this.#counting = new Counting(options);
    this.#holding = new Holding(options);
    this.#releasing = new Releasing(this.#counting, this.#holding);
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
    const { said } = this.#counting;
    return { format: 1, ...this.#holding.save((key) => said.has(key)), ...this.#counting.save() };
  }

  /** Takes what the registry says and says what of it may be believed now. `now` must not go back between calls. */
  take(update: GuardedUpdate, evidence: GuardEvidence): GuardStep {
    const steps = this.taking(update, evidence);
    for (;;) {
      const next = steps.next();
      if (next.done === true) return next.value;
    }
  }

  /**
   * The same in small steps, a service in each. Between them the guard may be asked what it holds; what else there is to be called has to wait for
   * the last one.
   */
  *taking(update: GuardedUpdate, evidence: GuardEvidence): Generator<undefined, GuardStep, undefined> {
    const step = new StepInProgress(this.#options.registry, evidence.now);
    const changes = yield* this.#changesOf(update);
    for (const key of changes.keys()) step.touched.add(key);
    if (this.#hasBaseline) {
      yield* this.#judge(changes, evidence, step);
      if (evidence.version !== undefined) this.#releasing.seen(evidence.version, step);
    } else {
      for (const [key, record] of changes) {
        this.#say(key, record);
        yield;
      }
      this.#hasBaseline = update.type === "snapshot";
    }
    yield;
    return yield* this.#finishing(step, update.type);
  }

  /**
   * Lets go of what is due: from each guard whose time is over one batch, by service and id. With evidence, also of everything held that
   * it says is gone; `take` asks only about the services of its update.
   */
  tick(now: number, evidence?: RemovalEvidence): GuardStep {
    const step = new StepInProgress(this.#options.registry, now);
    if (evidence !== undefined) {
      for (const key of [...this.#holding.held.keys()].sort(byCodeUnit)) this.#releasing.confirmed(key, evidence, step);
      this.#releasing.recovered(this.#holding.open(), step);
    }
    this.#releasing.due(step);
    return this.#finish(step, "delta");
  }

  /**
   * Applies what a person decided about one guard. Throws a NoGuardError where there is none with this id (any more), and a RangeError
   * for a time that is not a finite number.
   */
  decide(id: string, ruling: GuardRuling, now: number, author: string): GuardStep {
    const guard = this.#holding.open().find((open) => open.id === id);
    if (guard === undefined) throw new NoGuardError(id);
    const step = new StepInProgress(this.#options.registry, now);
    switch (ruling.type) {
      case "accept":
        this.#releasing.believe(guard);
        this.#holding.releaseAll(guard, "operator", step, { author });
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
    for (const guard of this.#holding.open()) {
      const due = guard.dueAt(this.#holding.ruleOf(guard));
      if (due !== undefined && (next === undefined || due < next)) next = due;
    }
    return next;
  }

  /** Whether anything is held. */
  get holds(): boolean {
    return this.#holding.held.size > 0;
  }

  /** The held endpoints of a service, by instance id. A view: it changes with the next call of the guard. */
  heldOf(service: ServiceKey): ReadonlyMap<string, Hold> {
    return this.#holding.heldOf(service);
  }

  /** The guards that hold something: first that of the source, then those of services, by key. */
  status(): readonly GuardStatus[] {
    return this.#holding.status();
  }

  /** What the update says anew or of which something is held, by key, sorted; `undefined` for a service that is gone. */
  *#changesOf(
    update: GuardedUpdate,
  ): Generator<undefined, ReadonlyMap<ServiceKey, ServiceRecord | undefined>, undefined> {
    const { said } = this.#counting;
    const changes = new Map<ServiceKey, ServiceRecord | undefined>();
    if (update.type === "snapshot") {
      const next = new Map(update.records.map((record) => [serviceKey(record.service), record]));
      for (const key of said.keys()) if (!next.has(key)) changes.set(key, undefined);
      for (const [key, record] of next) if (said.get(key) !== record) changes.set(key, record);
      for (const key of this.#holding.held.keys()) changes.set(key, next.get(key));
    } else {
      for (const key of update.records?.removed ?? []) changes.set(key, undefined);
      for (const record of update.records?.upserted ?? []) changes.set(serviceKey(record.service), record);
    }
    yield;
    if (changes.size < 2) return changes;
    // Without a comparison of our own it is much faster, and by code unit as well.
    const sorted = new Map<ServiceKey, ServiceRecord | undefined>();
    for (const key of [...changes.keys()].sort()) sorted.set(key, changes.get(key));
    return sorted;
  }

  *#judge(
    changes: ReadonlyMap<ServiceKey, ServiceRecord | undefined>,
    evidence: GuardEvidence,
    step: StepInProgress,
  ): Generator<undefined, void, undefined> {
    const { now } = step;
    this.#counting.prune(now);
    const candidates: Candidate[] = [];
    const lostServices: ServiceKey[] = [];
    const gotServices: ServiceKey[] = [];
    for (const [key, record] of changes) {
      yield;
      const rule = this.#options.ruleOf(key);
      const before = this.#counting.said.get(key);
      const wasPresent = this.#counting.isPresent(key);
      const { lost, got } = compareRecords(before, record);
      this.#say(key, record);
      const isPresent = this.#counting.isPresent(key);
      const back = this.#releasing.returned(key, record, step);
      const meant = this.#releasing.confirmed(key, evidence, step);
      const counts = lost.filter((instance) => {
        if (record !== undefined && !record.service.ports.some(({ name }) => name === instance.servicePort))
          return false;
        return evidence.confirmed?.(key, instance) !== true;
      });
      if (meant) {
        passMeant(key, rule, counts, before, step);
        this.#counting.forget(key);
      }
      const missing = this.#counting.move(key, rule, lost, meant ? [] : counts, without(got, back), {
        now,
        replace: (servicePort) => this.#releasing.replaced(key, servicePort, step),
      });
      const isHeld = this.#holding.held.has(key);
      const bare = record === undefined && before?.instances.length === 0 && !meant && !isHeld;
      if (before !== undefined && (missing.length > 0 || bare)) {
        candidates.push({ key, rule, service: (record ?? before).service, missing, bare });
      }
      if (isPresent && !wasPresent) gotServices.push(key);
      if (wasPresent && !isPresent && rule.mode !== "accept" && (missing.length > 0 || bare)) lostServices.push(key);
    }
    const gone = this.#counting.moveServices(lostServices, gotServices, now);
    if (candidates.length > 0) this.#holdOrPass(candidates, gone, step);
    const involved = new Set<OpenGuard>();
    for (const key of changes.keys()) {
      for (const guard of this.#holding.guardsOver(key)) {
        this.#look(guard, key);
        involved.add(guard);
      }
    }
    this.#releasing.recovered(involved, step);
  }

  #say(key: ServiceKey, record: ServiceRecord | undefined): void {
    this.#counting.say(key, record, this.#holding.heldOf(key).size > 0);
  }

  /** Decides about what an update took. */
  #holdOrPass(candidates: readonly Candidate[], gone: ReadonlySet<string>, step: StepInProgress): void {
    const { rule: sourceRule } = this.#options;
    const { source } = this.#holding;
    const sourceWhy = this.#counting.sourceTrip(step.now);
    const open = source !== undefined && !source.releasing;
    const sourceHolds = sourceRule.mode !== "accept" && (open || sourceWhy !== undefined);
    const forSource: Candidate[] = [];
    for (const candidate of candidates) {
      const { key, rule } = candidate;
      const own = this.#holding.guardOf(key);
      const why = this.#counting.serviceTrip(key, rule, step.now);
      if (rule.mode === "accept") {
        if (why === undefined) continue;
        step.passed(key, "mode-accept", why);
        this.#counting.forget(key);
      } else if (own !== undefined && !own.releasing) {
        this.#holding.hold(own, candidate, step);
      } else if (why !== undefined && (!sourceHolds || holdsOtherwise(rule, sourceRule))) {
        this.#holding.hold(this.#holding.tripService(key, why, step), candidate, step);
      } else if (sourceHolds) {
        forSource.push(candidate);
      }
    }
    if (forSource.length > 0) {
      const guard = open || sourceWhy === undefined ? source : this.#tripSource(sourceWhy, step);
      if (guard === undefined) return;
      for (const candidate of forSource) {
        this.#watch(guard, candidate.key, gone.has(candidate.key));
        this.#holding.hold(guard, candidate, step);
      }
    } else if (sourceRule.mode === "accept" && sourceWhy !== undefined) {
      step.passed(undefined, "mode-accept", sourceWhy);
      this.#counting.forgetAll();
    }
  }

  #tripSource(counted: TripReason, step: StepInProgress): OpenGuard {
    const { baseline, services, short, wholeServices } = this.#counting.shortage(step.now);
    const why: TripReason = wholeServices ? { ...counted, suspected: "AUTH" } : counted;
    const guard = this.#holding.tripSource(why, baseline, services, step);
    for (const [key, gone] of short) this.#watch(guard, key, gone);
    step.tripped(guard);
    return guard;
  }

  /** Has a guard watch what a service is short of. */
  #watch(guard: OpenGuard, key: ServiceKey, counted: boolean): void {
    guard.watch(key, this.#counting.fullSizeOf(key), counted);
    this.#look(guard, key);
  }

  /** Has a guard see what a service has now. */
  #look(guard: OpenGuard, key: ServiceKey): void {
    if (guard.members.has(key)) guard.see(key, this.#counting.sizeOf(key), this.#counting.isPresent(key));
  }

  #finish(step: StepInProgress, type: "snapshot" | "delta"): GuardStep {
    const steps = this.#finishing(step, type);
    for (;;) {
      const next = steps.next();
      if (next.done === true) return next.value;
    }
  }

  *#finishing(step: StepInProgress, type: "snapshot" | "delta"): Generator<undefined, GuardStep, undefined> {
    this.#holding.close(step.guardsChanged);
    const { said } = this.#counting;
    const recordOf = (key: ServiceKey) => this.#holding.recordWith(key, said.get(key));
    if (type === "delta") return step.finish({ type, records: yield* deltaOf(step.touched, recordOf) });
    const keys = new Set([...said.keys(), ...this.#holding.held.keys()]);
    const { upserted } = yield* deltaOf(keys, recordOf);
    return step.finish({ type, records: upserted });
  }

  #restore(accepted: readonly ServiceRecord[], saved: SavedGuard | undefined): void {
    this.#hasBaseline = true;
    for (const record of accepted) this.#say(serviceKey(record.service), record);
    if (saved === undefined) return;
    const { said } = this.#counting;
    this.#holding.restore(
      saved,
      (key) => said.get(key),
      (key, record) => this.#say(key, record),
    );
    this.#counting.restore(saved);
  }
}

/** Journals a service that was meant to have no endpoints and whose removal would have been held. */
function passMeant(
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

/** Whether one rule holds longer or shorter than the other, or for other reasons. */
function holdsOtherwise(one: GuardRule, other: GuardRule): boolean {
  return one.mode !== other.mode || one.holdForMs !== other.holdForMs;
}

function without(instances: readonly ServiceInstance[], ids: ReadonlySet<string>): readonly ServiceInstance[] {
  return ids.size === 0 ? instances : instances.filter(({ id }) => !ids.has(id));
}
