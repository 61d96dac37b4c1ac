import type { ServiceKey } from "@signalbox/model";
import type { GuardRule } from "../rules.ts";
import type { GuardScope, TripReason } from "./decision.ts";

/** What a service had when removals of it began to be held, and what it is short of now. */
export interface Member {
  baseline: number;
  missing: number;
  /** Whether the service was one of the source's, and so can be missing as a whole. */
  counted: boolean;
  gone: boolean;
}

/** A guard as plain JSON. */
export interface SavedOpenGuard {
  readonly id: string;
  readonly scope: GuardScope;
  readonly service?: ServiceKey;
  readonly since: number;
  readonly why: TripReason;
  readonly baseline: number;
  readonly services: number;
  readonly released: number;
  readonly extendedUntil?: number;
  readonly releasingAt?: number;
  readonly versions: readonly string[];
  readonly members: readonly (readonly [ServiceKey, Readonly<Member>])[];
}

// Sums of ratios such as 0.7 and 0.3 are not exact in floating point; a whole endpoint is never this small.
const epsilon = 1e-9;

/** Whether more left than may leave at once. `left` is how many there are now. A limit of 1 is reached when nothing is left. */
export function exceeds(removed: number, left: number, minRemoved: number, limit: number): boolean {
  if (removed < Math.max(1, minRemoved)) return false;
  return limit >= 1 ? left === 0 : removed > limit * (left + removed) + epsilon;
}

/** One guard that holds something: what it knows of itself. Which endpoints it holds, the endpoints know. */
export class OpenGuard {
  readonly id: string;
  readonly scope: GuardScope;
  readonly service: ServiceKey | undefined;
  since: number;
  why: TripReason;
  /** How many endpoints and services there would be had nothing left. */
  baseline: number;
  services: number;
  /** How many endpoints, or services without any, it holds. */
  held = 0;
  released = 0;
  /** The operator's word, instead of the rule's. */
  extendedUntil: number | undefined;
  /** When it lets go of more; set once it has begun to. */
  releasingAt: number | undefined;
  /** Versions of the source that showed the same removals. */
  readonly versions = new Set<string>();
  readonly members = new Map<ServiceKey, Member>();
  #missing = 0;
  #missingServices = 0;

  constructor(saved: SavedOpenGuard) {
    this.id = saved.id;
    this.scope = saved.scope;
    this.service = saved.service;
    this.since = saved.since;
    this.why = saved.why;
    this.baseline = saved.baseline;
    this.services = saved.services;
    this.released = saved.released;
    this.extendedUntil = saved.extendedUntil;
    this.releasingAt = saved.releasingAt;
    for (const version of saved.versions) this.versions.add(version);
    for (const [key, member] of saved.members) this.#put(key, { ...member });
  }

  /** What has to be kept of it, as plain JSON. */
  save(): SavedOpenGuard {
    return {
      id: this.id,
      scope: this.scope,
      ...(this.service === undefined ? {} : { service: this.service }),
      since: this.since,
      why: this.why,
      baseline: this.baseline,
      services: this.services,
      released: this.released,
      ...(this.extendedUntil === undefined ? {} : { extendedUntil: this.extendedUntil }),
      ...(this.releasingAt === undefined ? {} : { releasingAt: this.releasingAt }),
      versions: [...this.versions],
      members: [...this.members].map(([key, member]) => [key, { ...member }]),
    };
  }

  get releasing(): boolean {
    return this.releasingAt !== undefined;
  }

  /** Trips again. What it holds it holds for as long as what left now. */
  retrip(since: number, why: TripReason, baseline: number, services: number): void {
    this.since = since;
    this.why = why;
    this.baseline = baseline;
    this.services = services;
    this.extendedUntil = undefined;
    this.releasingAt = undefined;
    this.versions.clear();
    this.members.clear();
    this.#missing = 0;
    this.#missingServices = 0;
  }

  /** Begins to watch what a service is short of, unless it does already. */
  watch(key: ServiceKey, baseline: number, counted: boolean): void {
    if (!this.members.has(key)) this.#put(key, { baseline, missing: 0, counted, gone: false });
  }

  /** Notes how many endpoints a watched service has now, and whether the source has it. */
  see(key: ServiceKey, size: number, present: boolean): void {
    const member = this.members.get(key);
    if (member === undefined) return;
    this.#remove(member);
    member.missing = Math.max(0, member.baseline - size);
    member.gone = member.counted && !present;
    this.#put(key, member);
  }

  /** Expects fewer endpoints of a service, because it is known that they are gone. */
  expectFewer(key: ServiceKey, by: number): void {
    const member = this.members.get(key);
    if (member === undefined) return;
    const less = Math.min(by, member.missing);
    this.#remove(member);
    member.baseline -= less;
    member.missing -= less;
    this.baseline -= less;
    if (member.baseline === 0 && member.gone) {
      member.gone = false;
      member.counted = false;
      this.services--;
    }
    this.#put(key, member);
  }

  /** Whether enough is back, and no more is missing than might leave without tripping. */
  recovered({ recoveryRatio, maxServiceShrink, maxSourceShrink }: GuardRule): boolean {
    const limit = this.scope === "source" ? maxSourceShrink : maxServiceShrink;
    const enough = (missing: number, of: number) =>
      of - missing >= recoveryRatio * of - epsilon && missing <= limit * of + epsilon;
    return enough(this.#missing, this.baseline) && enough(this.#missingServices, this.services);
  }

  /** Whether enough versions of the source end its hold. */
  believesVersions({ confirmations, mode }: GuardRule): boolean {
    return mode === "hold" && confirmations > 0 && this.extendedUntil === undefined;
  }

  /** When it lets go of something by time, in epoch milliseconds; `undefined`: never. */
  dueAt(rule: GuardRule): number | undefined {
    const until = this.holdUntil(rule);
    return until === undefined ? undefined : (this.releasingAt ?? until);
  }

  /** When it begins, or began, to let go by time; `undefined`: never. */
  holdUntil({ mode, holdForMs }: GuardRule): number | undefined {
    if (this.extendedUntil !== undefined) return this.extendedUntil;
    switch (mode) {
      case "hold":
        return holdForMs > 0 ? this.since + holdForMs : undefined;
      case "accept":
        return this.since;
      case "hold-until-operator":
        return undefined;
    }
  }

  #put(key: ServiceKey, member: Member): void {
    this.members.set(key, member);
    this.#missing += member.missing;
    if (member.gone) this.#missingServices++;
  }

  #remove(member: Member): void {
    this.#missing -= member.missing;
    if (member.gone) this.#missingServices--;
  }
}
