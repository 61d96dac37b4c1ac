import { byCodeUnit, instanceKey } from "@signalbox/model";
import type { RegistryId, ServiceInstance, ServiceKey, ServiceRecord } from "@signalbox/model";
import { fits } from "@signalbox/policy";
import type { Clock, Logger, WithdrawalResult } from "@signalbox/registry";
import type { AggregateInput } from "./input.ts";
import type { WithdrawalRule } from "./options.ts";
import { Registrations, type ListedEndpoint, type Registration } from "./registrations.ts";
import { toError } from "./waiting.ts";
import { WithdrawalBrake, type WithdrawalShare, type WithdrawalStop } from "./withdrawal-brake.ts";

/** What withdrawals work with. */
export interface WithdrawalsOptions {
  readonly rule: WithdrawalRule;
  readonly clock: Clock;
  readonly logger: Logger;
  /** What the registries list of a service at this moment; without what is only held of what they listed before. */
  recordsOf(service: ServiceKey): readonly ServiceRecord[];
  /** Since when an endpoint is a ghost at this moment, in epoch milliseconds; undefined where it is none, or nobody can say. */
  ghostSince(endpoint: ListedEndpoint, now: number): number | undefined;
  /** Why nothing may be withdrawn from a registry now, for people; undefined where it may. */
  forbidden(registry: RegistryId): string | undefined;
  /** Takes the registration of the endpoint out of its source; undefined where the registry cannot. */
  withdraw(registry: RegistryId, instance: ServiceInstance, signal: AbortSignal): Promise<WithdrawalResult> | undefined;
  onInput(input: AggregateInput): void;
}

/** A service of a registry of which nothing is withdrawn although it has ghosts, and why not. */
export interface HeldWithdrawal extends WithdrawalShare {
  /** For people. */
  readonly reason: string;
}

/** How withdrawals are. */
export interface WithdrawalsStatus {
  readonly mode: "dry-run" | "delete";
  /** Nothing more is withdrawn until a person says so. Absent while they go on. */
  readonly stopped?: WithdrawalStop;
  /** How many were withdrawn in the last hour, or would have been. */
  readonly lastHour: number;
  readonly maxPerHour: number;
  /** What was held back at the last look. Sorted. */
  readonly held: readonly HeldWithdrawal[];
}

/** A registration all of whose endpoints are ghosts, and since when the last of them is. */
interface Ghost {
  readonly registration: Registration;
  readonly since: number;
}

/**
 * Tells sources which registrations they should no longer list. One at a time, the longest ghost first, not more often than the rule says, and not
 * so many that the truth itself is in doubt. A registration is a ghost where all its endpoints are, those under other services too; that is
 * looked at anew at the moment at which it is withdrawn. What was tried is not tried again before the time of `ghostFor` has passed once more.
 */
export class Withdrawals {
  readonly #options: WithdrawalsOptions;
  readonly #registrations: Registrations;
  readonly #brake: WithdrawalBrake;
  /** Services that have ghosts which the rule is for. */
  readonly #services = new Set<ServiceKey>();
  /** When a registration was withdrawn last, or would have been. */
  readonly #tried = new Map<string, number>();
  #held: ReadonlyMap<string, HeldWithdrawal> = new Map();
  #last = Number.NEGATIVE_INFINITY;
  #busy: Promise<void> | undefined;

  constructor(options: WithdrawalsOptions) {
    this.#options = options;
    const { rule } = options;
    this.#brake = new WithdrawalBrake(rule);
    this.#registrations = new Registrations({
      registries: rule.registries,
      recordsOf: (service) => options.recordsOf(service),
    });
  }

  /** Takes note that a service was looked at. Needed with each change of it. */
  see(service: ServiceKey): void {
    this.#registrations.see(service);
    const now = this.#options.clock.now();
    if (this.#isAllowed(service) && this.#sharesOf(service, now).length > 0) this.#services.add(service);
    else this.#services.delete(service);
  }

  /** When to look again, in epoch milliseconds; undefined where there is nothing. */
  dueAt(now: number): number | undefined {
    if (this.#services.size === 0 || this.#brake.stopped !== undefined) return undefined;
    return Math.max(now + 1, this.#last + this.#options.rule.everyMs);
  }

  /** Withdraws what is due. Returns at once. */
  tick(signal: AbortSignal): void {
    const { rule } = this.#options;
    const now = this.#options.clock.now();
    if (this.#brake.stopped !== undefined || now - this.#last < rule.everyMs) return;
    this.#last = now;
    if (this.#busy !== undefined) return;
    for (const [key, at] of this.#tried) if (now - at >= rule.ghostForMs) this.#tried.delete(key);
    const ghost = this.#next(now);
    if (ghost === undefined) return;
    if (!this.#brake.hasRoom(ghost.registration.key, now)) {
      const reason = `${rule.maxPerHour} registrations were withdrawn within an hour, and there are more`;
      this.#stop(rule.dryRun ? `${reason}; in a dry run, so that nothing was told` : reason, now);
      return;
    }
    this.#tried.set(ghost.registration.key, now);
    this.#withdraw(ghost, now, signal);
  }

  /** How withdrawals are now. */
  status(): WithdrawalsStatus {
    const { clock, rule } = this.#options;
    const { stopped } = this.#brake;
    return {
      mode: rule.dryRun ? "dry-run" : "delete",
      ...(stopped && { stopped }),
      lastHour: this.#brake.count(clock.now()),
      maxPerHour: rule.maxPerHour,
      held: [...this.#held].sort(([a], [b]) => byCodeUnit(a, b)).map(([, held]) => held),
    };
  }

  /** Lets withdrawals go on after a stop. False where there was none. */
  resume(author: string): boolean {
    if (this.#brake.stopped === undefined) return false;
    this.#brake.resume();
    const { clock, logger } = this.#options;
    logger.info("ghost-withdrawal-resumed", { author });
    this.#options.onInput({ at: clock.now(), type: "withdrawals-resumed", author });
    return true;
  }

  /** Resolves when nothing is being withdrawn any more. */
  async end(): Promise<void> {
    await this.#busy;
  }

  #withdraw(ghost: Ghost, now: number, signal: AbortSignal): void {
    const { rule } = this.#options;
    const { endpoints, key, registry, services } = ghost.registration;
    const [{ instance }] = endpoints;
    if (rule.dryRun) {
      this.#brake.note({ key, at: now, registry, services });
      this.#tell(ghost, "DRY_RUN", now);
      return;
    }
    const done = this.#options.withdraw(registry, instance, signal);
    if (done === undefined) {
      this.#tell(ghost, "UNSUPPORTED", now);
      return;
    }
    this.#busy = done
      .then(
        (result) => {
          if (result.type === "done") {
            this.#brake.note({ key, at: now, registry, services });
            this.#brake.remember(key, instance.registeredAt, now);
          }
          this.#tell(ghost, outcomes[result.type], now, result.type === "kept" ? { detail: result.reason } : {});
        },
        (thrown: unknown) => {
          // Nobody knows whether the source took it.
          this.#brake.note({ key, at: now, registry, services });
          if (!signal.aborted) this.#tell(ghost, "FAILED", now, { error: toError(thrown) });
        },
      )
      .finally(() => (this.#busy = undefined));
  }

  /** The longest ghost that may be withdrawn now. */
  #next(now: number): Ghost | undefined {
    const { rule } = this.#options;
    const known = new Map<RegistryId, boolean>();
    const isForbidden = (registry: RegistryId): boolean => {
      const is = known.get(registry) ?? this.#options.forbidden(registry) !== undefined;
      known.set(registry, is);
      return is;
    };
    const held = new Map<string, HeldWithdrawal>();
    let found: Ghost | undefined;
    for (const service of this.#services) {
      for (const ghosts of this.#ghostsOf(service, now).values()) {
        for (const ghost of ghosts) {
          const { key, registry, services } = ghost.registration;
          if (isForbidden(registry)) break;
          if (this.#isBack(ghost, now)) return undefined;
          if (this.#tried.has(key) || now - ghost.since < rule.ghostForMs) continue;
          if (![...services].every((one) => this.#isAllowed(one))) continue;
          const holds = [...services].flatMap((one) => this.#holds(one, registry, now) ?? []);
          for (const hold of holds) held.set(`${hold.registry} ${hold.service}`, hold);
          if (holds.length === 0 && (found === undefined || isBefore(ghost, found))) found = ghost;
        }
      }
    }
    this.#hold(held);
    return found;
  }

  #ghostsOf(service: ServiceKey, now: number): ReadonlyMap<RegistryId, readonly Ghost[]> {
    const ghosts = new Map<RegistryId, readonly Ghost[]>();
    for (const [registry, registrations] of this.#registrations.of(service)) {
      ghosts.set(
        registry,
        registrations.flatMap((registration) => this.#ghost(registration, now) ?? []),
      );
    }
    return ghosts;
  }

  #ghost(registration: Registration, now: number): Ghost | undefined {
    let since = Number.NEGATIVE_INFINITY;
    for (const endpoint of registration.endpoints) {
      const one = this.#options.ghostSince(endpoint, now);
      if (one === undefined) return undefined;
      since = Math.max(since, one);
    }
    return { registration, since };
  }

  /** What each registry lists of a service in which it has ghosts. */
  #sharesOf(service: ServiceKey, now: number): readonly WithdrawalShare[] {
    const ghosts = this.#ghostsOf(service, now);
    return [...this.#registrations.of(service)].flatMap(([registry, { length }]) => {
      const count = ghosts.get(registry)?.length ?? 0;
      return count === 0 ? [] : [{ registry, service, listed: length, ghosts: count }];
    });
  }

  #holds(service: ServiceKey, registry: RegistryId, now: number): HeldWithdrawal | undefined {
    const share = this.#sharesOf(service, now).find((one) => one.registry === registry);
    const keys = new Set(
      this.#registrations
        .of(service)
        .get(registry)
        ?.map(({ key }) => key),
    );
    const reason = share && this.#brake.holds(share, (key) => keys.has(key), now);
    return share && reason !== undefined ? { ...share, reason } : undefined;
  }

  /** Tells what is held back that was not at the last look. */
  #hold(held: ReadonlyMap<string, HeldWithdrawal>): void {
    const before = this.#held;
    this.#held = held;
    for (const [key, one] of held) if (!before.has(key)) this.#options.logger.warn("ghost-withdrawal-held", { ...one });
  }

  /** Stops where a ghost has registered again since it was withdrawn. */
  #isBack({ registration: { endpoints, key } }: Ghost, now: number): boolean {
    const [{ instance, service }] = endpoints;
    if (!this.#brake.isBack(key, instance.registeredAt, now)) return false;
    const address = instanceKey(instance.addresses[0]);
    this.#stop(`${address} of ${service} was withdrawn and has registered again: somebody is alive there`, now);
    return true;
  }

  #stop(reason: string, at: number): void {
    this.#brake.stop({ at, reason });
    this.#options.logger.error("ghost-withdrawal-stopped", { reason });
    this.#options.onInput({ at, type: "withdrawals-stopped", reason });
  }

  #isAllowed(service: ServiceKey): boolean {
    const hostname = service.slice(service.indexOf("/") + 1);
    return this.#options.rule.services.some((pattern) => fits(pattern, hostname));
  }

  #tell(
    { registration: { endpoints, registry }, since }: Ghost,
    outcome: Withdrawal["outcome"],
    at: number,
    more: { readonly detail?: string; readonly error?: Error } = {},
  ): void {
    const [{ instance, service }] = endpoints;
    const address = instanceKey(instance.addresses[0]);
    const { detail, error } = more;
    const told = {
      ...{ registry, service, instance: instance.id, address, since, outcome },
      ...(detail !== undefined && { detail }),
    };
    const { logger } = this.#options;
    if (outcome === "FAILED" || outcome === "UNSUPPORTED")
      logger.warn("ghost-withdrawal-failed", { ...told, ...(error && { error }) });
    else if (outcome === "KEPT") logger.warn("ghost-withdrawal-kept", { ...told });
    else logger.info("ghost-withdrawn", { ...told });
    this.#options.onInput({ at, type: "withdrawal", ...told });
  }
}

type Withdrawal = Extract<AggregateInput, { type: "withdrawal" }>;

const outcomes = { done: "DONE", gone: "GONE", kept: "KEPT" } as const satisfies Record<
  WithdrawalResult["type"],
  Withdrawal["outcome"]
>;

function isBefore(one: Ghost, other: Ghost): boolean {
  return one.since !== other.since
    ? one.since < other.since
    : byCodeUnit(one.registration.key, other.registration.key) < 0;
}
