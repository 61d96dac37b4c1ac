import { byCodeUnit, instanceKey } from "@signalbox/model";
import type { RegistryId, ServiceInstance, ServiceKey } from "@signalbox/model";
import { fits } from "@signalbox/policy";
import type { Clock, Logger } from "@signalbox/registry";
import type { AggregateInput } from "./input.ts";
import type { WithdrawalRule } from "./options.ts";
import { toError } from "./waiting.ts";

/** An endpoint that no workload has, and that its registry lists all the same. */
export interface Ghost {
  readonly registry: RegistryId;
  readonly service: ServiceKey;
  readonly instance: ServiceInstance;
  /** Since when, in epoch milliseconds. */
  readonly since: number;
}

/** What withdrawals work with. */
export interface WithdrawalsOptions {
  readonly rule: WithdrawalRule;
  readonly clock: Clock;
  readonly logger: Logger;
  /** The ghosts of a service as it was looked at last. */
  ghostsOf(service: ServiceKey): readonly Ghost[];
  /** Since when an endpoint is a ghost at this moment; undefined where it is none, or nobody can say. */
  isGhostSince(ghost: Ghost, now: number): number | undefined;
  /** Why nothing may be withdrawn from a registry now, for people; undefined where it may. */
  forbidden(registry: RegistryId): string | undefined;
  /** Takes the endpoint out of its source; undefined where the registry cannot. */
  withdraw(registry: RegistryId, instance: ServiceInstance, signal: AbortSignal): Promise<void> | undefined;
  onInput(input: AggregateInput): void;
}

/**
 * Tells sources of endpoints which they should no longer list. One at a time, the longest ghost first, not more often than the rule says; each one
 * is looked at again at the moment at which it is withdrawn. What was tried is not tried again before it has been a ghost for as long once more.
 */
export class Withdrawals {
  readonly #options: WithdrawalsOptions;
  /** Services that have ghosts which the rule is for. */
  readonly #services = new Set<ServiceKey>();
  /** When an instance was withdrawn last, or would have been. */
  readonly #tried = new Map<string, number>();
  #last = Number.NEGATIVE_INFINITY;
  #busy: Promise<void> | undefined;

  constructor(options: WithdrawalsOptions) {
    this.#options = options;
  }

  /** Takes note that a service was looked at. */
  see(service: ServiceKey): void {
    const { rule } = this.#options;
    const hostname = service.slice(service.indexOf("/") + 1);
    const allowed =
      rule.services.some((pattern) => fits(pattern, hostname)) &&
      this.#options.ghostsOf(service).some(({ registry }) => isOf(rule, registry));
    if (allowed) this.#services.add(service);
    else this.#services.delete(service);
  }

  /** When to look again, in epoch milliseconds; undefined where there is nothing. */
  dueAt(now: number): number | undefined {
    if (this.#services.size === 0) return undefined;
    return Math.max(now + 1, this.#last + this.#options.rule.everyMs);
  }

  /** Withdraws what is due. Returns at once. */
  tick(signal: AbortSignal): void {
    const { rule } = this.#options;
    const now = this.#options.clock.now();
    if (now - this.#last < rule.everyMs) return;
    this.#last = now;
    if (this.#busy !== undefined) return;
    for (const [key, at] of this.#tried) if (now - at >= rule.ghostForMs) this.#tried.delete(key);
    const ghost = this.#next(now);
    if (ghost === undefined) return;
    this.#tried.set(keyOf(ghost), now);
    if (rule.dryRun) {
      this.#tell(ghost, "DRY_RUN", now);
      return;
    }
    const done = this.#options.withdraw(ghost.registry, ghost.instance, signal);
    if (done === undefined) {
      this.#tell(ghost, "UNSUPPORTED", now);
      return;
    }
    this.#busy = done
      .then(
        () => this.#tell(ghost, "DONE", now),
        (thrown: unknown) => {
          if (!signal.aborted) this.#tell(ghost, "FAILED", now, toError(thrown));
        },
      )
      .finally(() => (this.#busy = undefined));
  }

  /** Resolves when nothing is being withdrawn any more. */
  async end(): Promise<void> {
    await this.#busy;
  }

  /** The longest ghost that may be withdrawn now. */
  #next(now: number): Ghost | undefined {
    const { rule } = this.#options;
    const forbidden = new Map<RegistryId, boolean>();
    const isForbidden = (registry: RegistryId): boolean => {
      const known = forbidden.get(registry) ?? this.#options.forbidden(registry) !== undefined;
      forbidden.set(registry, known);
      return known;
    };
    let found: Ghost | undefined;
    for (const service of this.#services) {
      for (const ghost of this.#options.ghostsOf(service)) {
        if (!isOf(rule, ghost.registry) || this.#tried.has(keyOf(ghost)) || isForbidden(ghost.registry)) continue;
        const since = this.#options.isGhostSince(ghost, now);
        if (since === undefined || now - since < rule.ghostForMs) continue;
        const one = { ...ghost, since };
        if (found === undefined || isBefore(one, found)) found = one;
      }
    }
    return found;
  }

  #tell(
    { instance, registry, service, since }: Ghost,
    outcome: Withdrawal["outcome"],
    at: number,
    error?: Error,
  ): void {
    const [address] = instance.addresses;
    const withdrawal = { registry, service, instance: instance.id, address: instanceKey(address), since, outcome };
    const { logger } = this.#options;
    if (outcome === "FAILED" || outcome === "UNSUPPORTED")
      logger.warn("ghost-withdrawal-failed", { ...withdrawal, ...(error && { error }) });
    else logger.info("ghost-withdrawn", { ...withdrawal });
    this.#options.onInput({ at, type: "withdrawal", ...withdrawal });
  }
}

type Withdrawal = Extract<AggregateInput, { type: "withdrawal" }>;

function isOf({ registries }: WithdrawalRule, registry: RegistryId): boolean {
  return registries.some((pattern) => fits(pattern, registry));
}

/** An instance with several ports is withdrawn once. */
function keyOf({ instance, registry }: Ghost): string {
  return `${registry} ${instance.provenance.object}`;
}

function isBefore(one: Ghost, other: Ghost): boolean {
  return one.since !== other.since ? one.since < other.since : byCodeUnit(keyOf(one), keyOf(other)) < 0;
}
