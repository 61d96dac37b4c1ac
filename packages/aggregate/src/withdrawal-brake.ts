import type { RegistryId, ServiceKey } from "@signalbox/model";
import type { WithdrawalRule } from "./options.ts";

/** Why no more is withdrawn until a person says so. */
export interface WithdrawalStop {
  /** Epoch milliseconds. */
  readonly at: number;
  /** For people. */
  readonly reason: string;
}

/** What a registry lists of one service. Counts are of registrations. */
export interface WithdrawalShare {
  readonly registry: RegistryId;
  readonly service: ServiceKey;
  readonly listed: number;
  /** How many of them are ghosts at this moment, for however long. */
  readonly ghosts: number;
}

/** A withdrawal, or the attempt at one. */
export interface WithdrawalDone {
  /** Of the registration. */
  readonly key: string;
  readonly at: number;
  readonly registry: RegistryId;
  readonly services: ReadonlySet<ServiceKey>;
}

const hourMs = 3_600_000;
/** For how long it is remembered what was withdrawn, to know it again. */
const rememberedMs = 24 * hourMs;

/**
 * Keeps withdrawals few. Ghosts are the exception where the truth is whole; where they are many, it is more likely that the truth is not. What
 * is counted is counted by this process alone, from its start.
 */
export class WithdrawalBrake {
  readonly #limits: Pick<WithdrawalRule, "keep" | "maxPerHour" | "maxShare">;
  readonly #done = new Map<string, WithdrawalDone>();
  /** When registrations were withdrawn, with what they said of when they registered. */
  readonly #gone = new Map<string, { readonly at: number; readonly registeredAt: number | undefined }>();
  #stopped: WithdrawalStop | undefined;

  constructor(limits: Pick<WithdrawalRule, "keep" | "maxPerHour" | "maxShare">) {
    this.#limits = limits;
  }

  /** Set until `resume`. */
  get stopped(): WithdrawalStop | undefined {
    return this.#stopped;
  }

  /** Why none of these may be withdrawn, for people; undefined where one may. `isListed`: whether the registration with a key is among them. */
  holds(
    { ghosts, listed, registry, service }: WithdrawalShare,
    isListed: (key: string) => boolean,
    now: number,
  ): string | undefined {
    const { keep, maxShare } = this.#limits;
    const left = listed - ghosts;
    if (left < keep) return `${left} of its ${listed} registrations are no ghosts, and ${keep} must remain`;
    const gone = this.#within(now).filter(
      (one) => one.registry === registry && one.services.has(service) && !isListed(one.key),
    ).length;
    // A third of three is one, although the product is a little less.
    if (ghosts + gone <= maxShare * (listed + gone) + 1e-9) return undefined;
    return `${ghosts + gone} of its ${listed + gone} registrations of the last hour are ghosts or were, which is more than a share of ${maxShare}`;
  }

  /** Whether there is room for one more in this hour. One that was counted already needs none. */
  hasRoom(key: string, now: number): boolean {
    return this.#within(now).filter((one) => one.key !== key).length < this.#limits.maxPerHour;
  }

  /** How many registrations were withdrawn in the last hour. */
  count(now: number): number {
    return this.#within(now).length;
  }

  /** Counts one. */
  note(done: WithdrawalDone): void {
    for (const [key, { at }] of this.#done) if (done.at - at >= hourMs) this.#done.delete(key);
    this.#done.set(done.key, done);
  }

  /** Remembers what is gone from its source. */
  remember(key: string, registeredAt: number | undefined, now: number): void {
    for (const [other, { at }] of this.#gone) if (now - at >= rememberedMs) this.#gone.delete(other);
    this.#gone.set(key, { at: now, registeredAt });
  }

  /** Whether something that was withdrawn not long ago has registered since: then somebody was alive there. */
  isBack(key: string, registeredAt: number | undefined, now: number): boolean {
    const gone = this.#gone.get(key);
    return gone !== undefined && now - gone.at < rememberedMs && gone.registeredAt !== registeredAt;
  }

  stop(stop: WithdrawalStop): void {
    this.#stopped ??= stop;
  }

  /** Begins anew, with nothing counted. */
  resume(): void {
    this.#stopped = undefined;
    this.#done.clear();
    this.#gone.clear();
  }

  #within(now: number): readonly WithdrawalDone[] {
    return [...this.#done.values()].filter(({ at }) => now - at < hourMs);
  }
}
