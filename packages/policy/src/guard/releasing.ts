import { byCodeUnit } from "@signalbox/model";
import type { ServiceInstance, ServiceKey, ServiceRecord } from "@signalbox/model";
import { countByPort, placeOf, sizeOf } from "./compare.ts";
import type { Counting } from "./counting.ts";
import type { Hold } from "./decision.ts";
import type { HeldService } from "./held-service.ts";
import type { Holding } from "./holding.ts";
import type { OpenGuard } from "./open-guard.ts";
import type { StepInProgress } from "./step.ts";
import type { RemovalEvidence } from "./update.ts";

/** Says when what is held is held no longer: each of the reasons why, but for a person's word. */
export class Releasing {
  readonly #counting: Counting;
  readonly #holding: Holding;

  constructor(counting: Counting, holding: Holding) {
    this.#counting = counting;
    this.#holding = holding;
  }

  /** Lets go of what is back, and of what the service has no port for any more. Gives back the ids of what is back, as they are now. */
  returned(key: ServiceKey, record: ServiceRecord | undefined, step: StepInProgress): ReadonlySet<string> {
    const back = new Set<string>();
    const held = this.#holding.held.get(key);
    if (held === undefined || record === undefined) return back;
    held.service = record.service;
    if (held.whole !== undefined) this.#holding.release(key, undefined, "returned", step);
    if (held.holds.size === 0) return back;
    const ids = new Set(record.instances.map(({ id }) => id));
    const places = new Map(record.instances.map((instance) => [placeOf(instance), instance.id]));
    const ports = new Set(record.service.ports.map(({ name }) => name));
    for (const { instance } of [...held.holds.values()]) {
      const now = ids.has(instance.id) ? instance.id : places.get(placeOf(instance));
      if (now !== undefined) back.add(now);
      else if (ports.has(instance.servicePort)) continue;
      this.#holding.release(key, instance.id, now === undefined ? "port-removed" : "returned", step);
      this.#counting.excuse(key, instance);
    }
    return back;
  }

  /** Lets go of what the evidence says is gone. Gives back whether the service is meant to have no endpoints. */
  confirmed(key: ServiceKey, evidence: RemovalEvidence, step: StepInProgress): boolean {
    const said = this.#counting.said.get(key);
    const meant = (said?.instances.length ?? 0) === 0 && evidence.scaledToZero?.(key) === true;
    if (meant) this.#counting.excuseService(key);
    const held = this.#holding.held.get(key);
    if (held === undefined) return meant;
    if (held.whole !== undefined && meant) this.#holding.release(key, undefined, "scaled-to-zero", step);
    for (const { instance } of [...held.holds.values()]) {
      if (!meant && evidence.confirmed?.(key, instance) !== true) continue;
      this.#expectFewer(key, instance, held);
      this.#holding.release(key, instance.id, meant ? "scaled-to-zero" : "confirmed", step);
      this.#counting.excuse(key, instance);
    }
    return meant;
  }

  /** Lets go of the held endpoint that left first among those that an arrival at a port can replace. Gives back whether there was one. */
  replaced(key: ServiceKey, servicePort: string, step: StepInProgress): boolean {
    let first: Hold | undefined;
    for (const hold of this.#holding.heldOf(key).values()) {
      if (hold.instance.servicePort !== servicePort) continue;
      if (first === undefined || hold.since < first.since || (hold.since === first.since && isBefore(hold, first))) {
        first = hold;
      }
    }
    if (first === undefined) return false;
    this.#holding.release(key, first.instance.id, "replaced", step);
    this.#counting.excuse(key, first.instance);
    return true;
  }

  /** Lets go of what guards hold of which most is back. */
  recovered(guards: Iterable<OpenGuard>, step: StepInProgress): void {
    for (const guard of guards) {
      if (guard.held > 0 && guard.recovered(this.#holding.ruleOf(guard)))
        this.#holding.releaseAll(guard, "recovery", step);
    }
  }

  /** Counts a version of the source for each guard whose removals it shows unchanged, and lets go where there are enough. */
  seen(version: string, step: StepInProgress): void {
    for (const guard of this.#holding.open()) {
      if (guard.held === 0) continue;
      const rule = this.#holding.ruleOf(guard);
      if (step.guardsChanged.has(guard)) guard.versions.clear();
      guard.versions.add(version);
      if (!guard.believesVersions(rule) || guard.versions.size < rule.confirmations) continue;
      this.believe(guard);
      this.#holding.releaseAll(guard, "versions", step);
    }
  }

  /** Lets go of one batch of each guard whose time is over. */
  due(step: StepInProgress): void {
    for (const guard of this.#holding.open()) {
      const rule = this.#holding.ruleOf(guard);
      const due = guard.dueAt(rule);
      if (due === undefined || due > step.now) continue;
      if (!guard.releasing) this.believe(guard);
      guard.releasingAt = step.now + Math.max(1, rule.releaseEveryMs);
      this.#holding.releaseAll(guard, "time", step, { atMost: Math.max(1, Math.floor(rule.releaseBatch)) });
    }
  }

  /** Has what left so far count no more, because it is believed. */
  believe(guard: OpenGuard): void {
    if (guard.service === undefined) this.#counting.forgetAll();
    else this.#counting.forget(guard.service);
  }

  /** Has the guards of a service no longer wait for one endpoint. */
  #expectFewer(key: ServiceKey, instance: ServiceInstance, held: HeldService): void {
    const accepted = new Map(countByPort(held.recordWith(this.#counting.said.get(key))));
    const size = sizeOf(accepted);
    accepted.set(instance.servicePort, (accepted.get(instance.servicePort) ?? 1) - 1);
    const fewer = size - sizeOf(accepted);
    for (const guard of this.#holding.guardsOver(key)) guard.expectFewer(key, fewer);
  }
}

function isBefore(one: Hold, other: Hold): boolean {
  return byCodeUnit(one.instance.id, other.instance.id) < 0;
}
