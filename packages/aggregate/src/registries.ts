import { byCodeUnit } from "@signalbox/model";
import type { RegistryId, ServiceInstance } from "@signalbox/model";
import type {
  Clock,
  Logger,
  Metrics,
  Problem,
  Registry,
  RegistryUpdate,
  ShardContent,
  WithdrawalResult,
} from "@signalbox/registry";
import type { Steps } from "@signalbox/slices";
import { DuplicateRegistryError, UnknownRegistryError } from "./controller.ts";
import type { ArchivedShard } from "./archive.ts";
import { FreshnessWatch } from "./freshness.ts";
import type { FreshnessOptions, SourceState, Treatment } from "./freshness.ts";
import type { Line } from "./line.ts";
import type { AddRegistryOptions, RestartOptions, StartPolicy } from "./options.ts";
import type { ShardStore } from "./shard.ts";
import { Supervisor } from "./supervision.ts";
import type { Condition, RegistryStatus } from "./supervision.ts";
import { unlessAborted } from "./waiting.ts";

/** What the set of registries works with. */
export interface RegistriesOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  metrics(id: RegistryId): Metrics;
  readonly restart: RestartOptions;
  readonly shards: ShardStore;
  /** Used for registries that were added without a deadline of their own. */
  readonly syncDeadlineMs: number;
  readonly freshness: FreshnessOptions;
  /** How much of what a registry says cannot be merged. */
  unmerged(id: RegistryId): number;
  /** Where what they say is taken in. */
  readonly line: Line;
  accept(id: RegistryId, update: RegistryUpdate): Steps<undefined>;
  /** A read was complete, and gave something new or not. */
  wasRead(id: RegistryId, changed: boolean): void;
  /** What was kept of a registry from before a restart, while nobody has decided whether it is served. Never rejects. */
  kept(id: RegistryId): Promise<ArchivedShard | undefined>;
  /** What the registry said is to be treated in another way. */
  treat(id: RegistryId, treatment: Treatment): void;
  dropped(id: RegistryId): void;
  /** A registry is in another state than before. */
  stateChanged(id: RegistryId, state: SourceState): void;
  /** A registry has another problem than before, or none any more. */
  problemChanged(id: RegistryId, degraded: { readonly problem: Problem; readonly message: string } | undefined): void;
}

interface Slot {
  registry: Registry;
  supervisor: Supervisor | undefined;
  readonly precedence: number;
  readonly syncDeadlineMs: number;
  readonly startPolicy: StartPolicy;
  readonly condition: Condition;
  readonly freshness: FreshnessWatch;
}

/** The registries of an aggregate: which there are, in what order, and the run of each. */
export class Registries {
  readonly #options: RegistriesOptions;
  readonly #slots = new Map<RegistryId, Slot>();
  #signal: AbortSignal | undefined;

  constructor(options: RegistriesOptions) {
    this.#options = options;
  }

  /** How long publishing waits for each of the registries that have not spoken yet. */
  deadlines(): ReadonlyMap<RegistryId, number> {
    const silent = [...this.#slots].filter(([, slot]) => !slot.condition.spoken);
    return new Map(silent.map(([id, slot]) => [id, slot.syncDeadlineMs]));
  }

  /** Whether nothing of a registry is known yet. */
  isSilent(id: RegistryId): boolean {
    const slot = this.#slots.get(id);
    return slot !== undefined && slot.condition.lastCompleteRead === undefined;
  }

  /** Whether what a registry said at a time, in epoch milliseconds, would not be served any more. */
  isTooOld(id: RegistryId, lastCompleteRead: number): boolean {
    return this.#slots.get(id)?.freshness.wouldWithhold(lastCompleteRead) ?? true;
  }

  /** What happens when a registry does not speak in time. One that is gone holds back nobody. */
  startPolicyOf(id: RegistryId): StartPolicy {
    return this.#slots.get(id)?.startPolicy ?? "proceed-partial";
  }

  /** Notes that what a registry said before a restart is served. */
  restored(id: RegistryId, lastCompleteRead: number): void {
    const slot = this.#get(id);
    slot.condition.lastCompleteRead = lastCompleteRead;
    slot.freshness.look();
  }

  /** All that a registry says now, if it has spoken since the process began. */
  contentOf(id: RegistryId): ArchivedShard | undefined {
    const { lastCompleteRead, spoken } = this.#slots.get(id)?.condition ?? {
      spoken: false,
      lastCompleteRead: undefined,
    };
    if (!spoken || lastCompleteRead === undefined) return undefined;
    return { lastCompleteRead, ...this.#options.shards.contentOf(id) };
  }

  /** Takes a registry in. It does not run before `startOne`, or `start`. */
  add(registry: Registry, options: AddRegistryOptions): void {
    const { id } = registry;
    if (this.#slots.has(id)) throw new DuplicateRegistryError(id);
    const highest = Math.max(-1, ...[...this.#slots.values()].map((slot) => slot.precedence));
    const condition: Condition = {
      spoken: false,
      problem: undefined,
      lastCompleteRead: undefined,
      lastError: undefined,
      restarts: 0,
      rejected: 0,
    };
    const { clock, logger } = this.#options;
    const treat = (treatment: Treatment): void => this.#options.treat(id, treatment);
    const slot: Slot = {
      registry,
      supervisor: undefined,
      precedence: options.precedence ?? highest + 1,
      syncDeadlineMs: options.syncDeadlineMs ?? this.#options.syncDeadlineMs,
      startPolicy: options.startPolicy ?? "proceed-partial",
      condition,
      freshness: new FreshnessWatch(
        {
          registry: id,
          clock,
          logger,
          read: condition,
          treat,
          changed: (state) => this.#options.stateChanged(id, state),
        },
        { ...this.#options.freshness, ...options.freshness },
      ),
    };
    this.#slots.set(id, slot);
    this.#options.shards.add(id, slot.precedence);
  }

  /** The registries that are not read as they should be, and what it is, for people. */
  problems(): ReadonlyMap<RegistryId, string> {
    const problems = new Map<RegistryId, string>();
    for (const [id, { condition, freshness }] of this.#slots) {
      const { state } = freshness;
      if (state !== "SYNCED") problems.set(id, `is ${state}`);
      else if (condition.problem !== undefined) problems.set(id, condition.problem);
    }
    return problems;
  }

  /** Why a registry cannot be believed now, for people; undefined where it can. */
  trouble(id: RegistryId): string | undefined {
    return this.#slots.has(id) ? this.problems().get(id) : "is not read";
  }

  /** Takes an endpoint out of its source; undefined where the registry cannot. */
  withdraw(id: RegistryId, instance: ServiceInstance, signal: AbortSignal): Promise<WithdrawalResult> | undefined {
    return this.#slots.get(id)?.registry.withdraw?.(instance, signal);
  }

  /** Starts one that was added after `start`; without that it does nothing. */
  startOne(id: RegistryId): void {
    const slot = this.#get(id);
    if (this.#signal !== undefined) slot.freshness.start(this.#signal);
    this.#start(slot);
  }

  async replace(registry: Registry, options: Pick<AddRegistryOptions, "freshness">): Promise<void> {
    const slot = this.#get(registry.id);
    slot.registry = registry;
    if (options.freshness !== undefined) slot.freshness.limit({ ...this.#options.freshness, ...options.freshness });
    const { supervisor } = slot;
    await supervisor?.stop();
    // Meanwhile it may have been removed, or replaced once more by somebody who now waits for the same end.
    if (this.#slots.get(registry.id) === slot && slot.supervisor === supervisor) this.#start(slot);
  }

  async remove(id: RegistryId): Promise<void> {
    const slot = this.#get(id);
    this.#slots.delete(id);
    const stopped = slot.supervisor?.stop();
    this.#options.dropped(id);
    await slot.freshness.stop();
    await stopped;
  }

  /** Starts all, and from now on each one that `startOne` names, until `signal` aborts. */
  start(signal: AbortSignal): void {
    this.#signal = signal;
    for (const slot of this.#slots.values()) {
      slot.freshness.start(signal);
      this.#start(slot);
    }
  }

  /** Resolves when all have ended. */
  async stop(): Promise<void> {
    this.#signal = undefined;
    const slots = [...this.#slots.values()];
    await Promise.all(slots.map(async (slot) => slot.supervisor?.stop()));
    await Promise.all(slots.map(async (slot) => slot.freshness.stop()));
  }

  status(): readonly RegistryStatus[] {
    const now = this.#options.clock.now();
    return [...this.#slots]
      .sort(([a, one], [b, other]) => one.precedence - other.precedence || byCodeUnit(a, b))
      .map(([id, { condition, freshness }]) => ({
        id,
        state: freshness.state,
        ...(condition.problem !== undefined && { problem: condition.problem }),
        services: this.#options.shards.servicesIn(id),
        ...(condition.lastCompleteRead !== undefined && {
          lastCompleteRead: condition.lastCompleteRead,
          ageMs: Math.max(0, now - condition.lastCompleteRead),
        }),
        ...(freshness.treatment.type === "withhold" && { withheld: true as const }),
        ...(freshness.treatment.type === "deprioritise" && { deprioritised: true as const }),
        ...(condition.lastError !== undefined && { lastError: condition.lastError }),
        restarts: condition.restarts,
        ...positive("rejected", condition.rejected),
        ...positive("unmerged", this.#options.unmerged(id)),
      }));
  }

  /** What is in force of a registry: what it said last, or what is kept and would be served if it stayed silent. */
  async #inForce(id: RegistryId, signal: AbortSignal): Promise<ShardContent> {
    const kept = await unlessAborted(this.#options.kept(id), signal);
    const slot = this.#slots.get(id);
    if (slot === undefined) return nothing;
    if (!this.isSilent(id))
      return slot.freshness.treatment.type === "withhold" ? nothing : this.#options.shards.contentOf(id);
    return kept === undefined || slot.freshness.wouldWithhold(kept.lastCompleteRead) ? nothing : kept;
  }

  #get(id: RegistryId): Slot {
    const slot = this.#slots.get(id);
    if (slot === undefined) throw new UnknownRegistryError(id);
    return slot;
  }

  #start(slot: Slot): void {
    if (this.#signal === undefined || this.#signal.aborted) return;
    const { registry, condition } = slot;
    const { clock, logger, restart } = this.#options;
    slot.supervisor = new Supervisor(registry, {
      clock,
      line: this.#options.line,
      logger,
      metrics: this.#options.metrics(registry.id),
      restart,
      condition,
      lastGood: this.#options.shards.lastGood(registry.id),
      baseline: { load: (signal) => this.#inForce(registry.id, signal) },
      problemChanged: (degraded) => this.#options.problemChanged(registry.id, degraded),
      accept: (update) => this.#options.accept(registry.id, update),
      wasRead: (changed) => {
        slot.freshness.look();
        this.#options.wasRead(registry.id, changed);
      },
    });
    slot.supervisor.start(this.#signal);
  }
}

const nothing: ShardContent = Object.freeze({ records: [], workloads: [], objects: [] });

function positive<K extends string>(name: K, count: number): Partial<Record<K, number>> {
  return count > 0 ? ({ [name]: count } as Record<K, number>) : {};
}
