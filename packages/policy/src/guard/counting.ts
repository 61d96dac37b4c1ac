import { byCodeUnit } from "@signalbox/model";
import type { ServiceInstance, ServiceKey, ServiceRecord } from "@signalbox/model";
import type { GuardRule } from "../rules.ts";
import { Churn } from "./churn.ts";
import type { Mover, SavedChurn } from "./churn.ts";
import { countByPort, sizeOf, sizeWith } from "./compare.ts";
import type { TripReason } from "./decision.ts";
import { exceeds } from "./open-guard.ts";
import type { RegistryGuardOptions } from "./options.ts";

/** What is counted, as plain JSON. */
export interface SavedCounting {
  readonly emptied: readonly ServiceKey[];
  readonly recent: readonly {
    readonly service: ServiceKey;
    readonly last: number;
    readonly kinds: readonly SavedChurn[];
  }[];
  readonly services: readonly SavedChurn[];
}

/** What a source is short of, at a moment. */
export interface Shortage {
  /** How many endpoints and services there would be had nothing left. */
  readonly baseline: number;
  readonly services: number;
  /** The services that are short of endpoints or gone; the value says whether they are gone. */
  readonly short: ReadonlyMap<ServiceKey, boolean>;
  /** Whether several services left as a whole, others are there, and nothing of those is missing. */
  readonly wholeServices: boolean;
}

/** What came and went in one service not long ago. */
interface Recent {
  readonly churn: Churn;
  last: number;
  /** How many endpoints it adds to those that the source lost. May be too high by what is out of the window since. */
  lost: number;
}

/** The kind of things that services are in a source. */
const aService = "";

/** Counts what a source has, and what left it within the windows of the rules. It decides nothing and holds nothing. */
export class Counting {
  readonly #options: Pick<RegistryGuardOptions, "rule" | "ruleOf">;
  /** What the source says. */
  readonly #said = new Map<ServiceKey, ServiceRecord>();
  /** Services that had endpoints once and have none now. They count as gone, as those that the source no longer names. */
  readonly #emptied = new Set<ServiceKey>();
  /** Services that something came to or left not long ago, in the order of the last time. */
  readonly #recent = new Map<ServiceKey, Recent>();
  #services = new Churn();
  /** The sum of the sizes of what the source says. */
  #size = 0;
  /** The sum of `lost` of the recent services. */
  #lost = 0;

  constructor(options: Pick<RegistryGuardOptions, "rule" | "ruleOf">) {
    this.#options = options;
  }

  /** What the source says. */
  get said(): ReadonlyMap<ServiceKey, ServiceRecord> {
    return this.#said;
  }

  /** Takes note of what the source says about a service. `held`: whether endpoints of it are held. */
  say(key: ServiceKey, record: ServiceRecord | undefined, held: boolean): void {
    const before = this.#said.get(key);
    this.#size += sizeOf(countByPort(record)) - sizeOf(countByPort(before));
    if (record === undefined) {
      this.#said.delete(key);
      this.#emptied.delete(key);
      return;
    }
    this.#said.set(key, record);
    if (record.instances.length > 0) this.#emptied.delete(key);
    else if ((before?.instances.length ?? 0) > 0 || held) this.#emptied.add(key);
  }

  /** Whether the source has a service, with endpoints if it ever had some. */
  isPresent(key: ServiceKey): boolean {
    return this.#said.has(key) && !this.#emptied.has(key);
  }

  /** How many endpoints a service has. */
  sizeOf(key: ServiceKey): number {
    return sizeOf(countByPort(this.#said.get(key)));
  }

  /** How many endpoints a service would have had none left that is remembered. */
  fullSizeOf(key: ServiceKey): number {
    const gone = this.#recent.get(key)?.churn.goneSince(Number.NEGATIVE_INFINITY) ?? new Map<string, number>();
    return sizeWith(countByPort(this.#said.get(key)), gone);
  }

  /**
   * Notes what left a service and what came to it. Gives back what left and is not made up for. `counts`: what of the lost ones counts.
   * `replace`: asked about what came and made up for nothing, whether it takes the place of something that is held.
   */
  move(
    key: ServiceKey,
    rule: GuardRule,
    lost: readonly ServiceInstance[],
    counts: readonly ServiceInstance[],
    got: readonly ServiceInstance[],
    { now, replace }: { readonly now: number; readonly replace: (kind: string) => boolean },
  ): readonly ServiceInstance[] {
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
    const counted = new Set(counts.map(({ id }) => id));
    for (const instance of lost) if (!counted.has(instance.id)) recent.churn.excuse(moverOf(instance));
    const { missing, spare } = recent.churn.change(counts.map(moverOf), got.map(moverOf), now);
    for (const mover of spare) {
      if (!replace(mover.kind)) recent.churn.came(mover, now);
    }
    this.#count(key, recent, rule, now);
    if (missing.length === 0) return [];
    const ids = new Set(missing.map(({ id }) => id));
    return counts.filter(({ id }) => ids.has(id));
  }

  /** Notes which services left the source and which came. Gives back those that left and are not made up for. */
  moveServices(lost: readonly ServiceKey[], got: readonly ServiceKey[], now: number): ReadonlySet<string> {
    if (lost.length === 0 && got.length === 0) return new Set();
    this.#services.forget(now - this.#options.rule.windowMs);
    const { missing, spare } = this.#services.change(lost.map(serviceMover), got.map(serviceMover), now);
    for (const mover of spare) this.#services.came(mover, now);
    return new Set(missing.map(({ id }) => id));
  }

  /** Why a service lost more than it may; undefined where it did not. */
  serviceTrip(key: ServiceKey, rule: GuardRule, now: number): TripReason | undefined {
    const recent = this.#recent.get(key);
    if (recent === undefined) return undefined;
    const present = countByPort(this.#said.get(key));
    const size = sizeOf(present);
    const removed = sizeWith(present, recent.churn.goneSince(now - rule.windowMs)) - size;
    if (!exceeds(removed, size, rule.minRemoved, rule.maxServiceShrink)) return undefined;
    return reasonOf("endpoints", removed, size, rule.maxServiceShrink);
  }

  /** Why the source lost more than it may; undefined where it did not. */
  sourceTrip(now: number): TripReason | undefined {
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

  /** What the source is short of. */
  shortage(now: number): Shortage {
    this.#recount(now);
    const since = now - this.#options.rule.windowMs;
    const count = this.#services.goneSince(since).get(aService) ?? 0;
    this.#services.forget(since);
    const gone = new Set(this.#services.goneIds(aService));
    const losers = [...this.#recent].filter(([, { lost }]) => lost > 0).map(([key]) => key);
    const short = new Map(losers.map((key) => [key, gone.has(key)]));
    for (const key of gone) short.set(key as ServiceKey, true);
    return {
      baseline: this.#size + this.#lost,
      services: this.#present + count,
      short,
      wholeServices: this.#present > 0 && losers.length > 1 && losers.every((key) => gone.has(key)),
    };
  }

  /** Has an endpoint that left count no more. */
  excuse(key: ServiceKey, instance: ServiceInstance): void {
    this.#recent.get(key)?.churn.excuse(moverOf(instance));
  }

  /** Has a service that left count no more as one. */
  excuseService(key: ServiceKey): void {
    this.#services.excuse(serviceMover(key));
  }

  /** Has what left a service so far count no more, because it is believed. */
  forget(key: ServiceKey): void {
    this.#lost -= this.#recent.get(key)?.lost ?? 0;
    this.#recent.delete(key);
    this.excuseService(key);
  }

  /** The same for all services. */
  forgetAll(): void {
    this.#recent.clear();
    this.#lost = 0;
    this.#services = new Churn();
  }

  /** Forgets what is out of every window. */
  prune(now: number): void {
    for (const [key, { last }] of this.#recent) {
      if (last > now - this.#keepFor(this.#options.ruleOf(key))) return;
      this.#lost -= this.#recent.get(key)?.lost ?? 0;
      this.#recent.delete(key);
    }
  }

  /** What has to be kept of it, besides what the source says. */
  save(): SavedCounting {
    return {
      emptied: [...this.#emptied].sort(byCodeUnit),
      recent: [...this.#recent].map(([service, { churn, last }]) => ({ service, last, kinds: churn.save() })),
      services: this.#services.save(),
    };
  }

  /** Goes on from what was kept. What the source said is said before. */
  restore({ emptied, recent, services }: SavedCounting): void {
    this.#emptied.clear();
    for (const key of emptied) if (this.#said.get(key)?.instances.length === 0) this.#emptied.add(key);
    this.#services = Churn.restore(services);
    for (const { service, last, kinds } of recent) {
      const restored: Recent = { churn: Churn.restore(kinds), last, lost: 0 };
      this.#recent.set(service, restored);
      this.#count(service, restored, this.#options.ruleOf(service), Number.NEGATIVE_INFINITY);
    }
  }

  get #present(): number {
    return this.#said.size - this.#emptied.size;
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
}

/** How much left, as a reason. */
export function reasonOf(counted: TripReason["counted"], removed: number, left: number, limit: number): TripReason {
  return { counted, removed, baseline: removed + left, ratio: removed / (removed + left), limit };
}

function moverOf({ id, servicePort }: ServiceInstance): Mover {
  return { id, kind: servicePort };
}

function serviceMover(key: ServiceKey): Mover {
  return { id: key, kind: aService };
}
