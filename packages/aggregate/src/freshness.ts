import type { RegistryId } from "@signalbox/model";
import type { Clock, Logger } from "@signalbox/registry";
import { abortWith } from "./waiting.ts";

/**
 * How far a registry is. `INIT`: nothing is known of it. `RESTORED`: what it said before a restart is served, and it has
 * not spoken since. `SYNCED`: it has pushed a snapshot. `STALE` and `EXPIRED`: its last complete read is too old. The age
 * of restored content counts from the read before the restart, so that it can be `EXPIRED`, but is never `SYNCED`.
 */
export type SourceState = "INIT" | "RESTORED" | "SYNCED" | "STALE" | "EXPIRED";

/** When what a registry said is too old, by the age of its last complete read. */
export interface FreshnessOptions {
  /** Milliseconds; `Infinity` is never. Stale content is served and marked. Default 300,000. */
  readonly staleAfterMs: number;
  /** Milliseconds; `Infinity` is never. Default `Infinity`. */
  readonly expireAfterMs: number;
  /**
   * What becomes of expired content until the source can be read again: it is served on; its endpoints come after those that
   * a registry knows whose content is not expired; or it is left out of the catalog. Default `keep`.
   */
  readonly onExpired: "keep" | "deprioritise" | "drop";
}

/** How the catalog has what a registry said. */
export type Treatment =
  | { readonly type: "serve" }
  /** Its endpoints come last. `since`: when it expired, in epoch milliseconds. */
  | { readonly type: "deprioritise"; readonly since: number }
  /** It is left out. */
  | { readonly type: "withhold" };

/** What was said not long ago. */
export const served: Treatment = { type: "serve" };

/** Whether the catalog is the same with both. */
export function sameTreatment(one: Treatment, other: Treatment): boolean {
  if (one.type === "deprioritise" && other.type === "deprioritise") return one.since === other.since;
  return one.type === other.type;
}

export const defaultFreshness: FreshnessOptions = {
  staleAfterMs: 300_000,
  expireAfterMs: Number.POSITIVE_INFINITY,
  onExpired: "keep",
};

/** What the freshness of a registry is made of. */
export interface ReadRecord {
  /** When a read was last complete, in epoch milliseconds, also before a restart. */
  readonly lastCompleteRead: number | undefined;
  /** Whether the registry has pushed a snapshot since the process began. */
  readonly spoken: boolean;
}

/** The state at a moment. A clock that was set back gives no negative ages. */
export function stateAt(now: number, { lastCompleteRead, spoken }: ReadRecord, limits: FreshnessOptions): SourceState {
  if (lastCompleteRead === undefined) return "INIT";
  const age = Math.max(0, now - lastCompleteRead);
  if (age >= limits.expireAfterMs) return "EXPIRED";
  if (!spoken) return "RESTORED";
  return age >= limits.staleAfterMs ? "STALE" : "SYNCED";
}

/** What a freshness watch works with. */
export interface FreshnessWatchOptions {
  readonly registry: RegistryId;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly read: ReadRecord;
  /** Told when content is to be treated in another way, because it expired or was read again. */
  treat(treatment: Treatment): void;
  /** Told when the state is another one than before. */
  changed(state: SourceState): void;
}

// A timer of Node.js cannot wait longer than 24 days; this also bounds what a clock that was set may delay.
const longestSleepMs = 3_600_000;

/** Notices when a registry becomes stale or expired, and when it is fresh again. */
export class FreshnessWatch {
  readonly #options: FreshnessWatchOptions;
  #limits: FreshnessOptions;
  #told: SourceState = "INIT";
  #treatment: Treatment = served;
  #signal: AbortSignal | undefined;
  #timer: { readonly at: number; readonly end: AbortController; readonly done: Promise<void> } | undefined;

  constructor(options: FreshnessWatchOptions, limits: FreshnessOptions) {
    this.#options = options;
    this.#limits = limits;
  }

  /** The state now. */
  get state(): SourceState {
    return this.#stateOf(this.#options.read);
  }

  /** How what the registry said is treated. */
  get treatment(): Treatment {
    return this.#treatment;
  }

  /** Whether content whose last complete read was then would be left out of the catalog now. */
  wouldWithhold(lastCompleteRead: number): boolean {
    return this.#limits.onExpired === "drop" && this.#stateOf({ lastCompleteRead, spoken: false }) === "EXPIRED";
  }

  /** Sets other limits, which hold at once. */
  limit(limits: FreshnessOptions): void {
    this.#limits = limits;
    this.look();
  }

  /** Watches the time until `signal` aborts. */
  start(signal: AbortSignal): void {
    this.#signal = signal;
    this.look();
  }

  /** Resolves when nothing is waited for any more. */
  async stop(): Promise<void> {
    this.#signal = undefined;
    this.#timer?.end.abort();
    await this.#timer?.done;
  }

  /** Takes note of what was read since the last look. Called after each complete read. */
  look(): void {
    const { state } = this;
    if (state !== this.#told) this.#tell(state);
    const treatment = state === "EXPIRED" ? this.#ofExpired() : served;
    if (!sameTreatment(treatment, this.#treatment)) {
      this.#treatment = treatment;
      this.#options.treat(treatment);
    }
    this.#wait(state);
  }

  #ofExpired(): Treatment {
    const { expireAfterMs, onExpired } = this.#limits;
    switch (onExpired) {
      case "keep":
        return served;
      case "deprioritise":
        return { type: "deprioritise", since: (this.#options.read.lastCompleteRead ?? 0) + expireAfterMs };
      case "drop":
        return { type: "withhold" };
    }
  }

  #stateOf(read: ReadRecord): SourceState {
    return stateAt(this.#options.clock.now(), read, this.#limits);
  }

  #tell(state: SourceState): void {
    const { clock, logger, read, registry } = this.#options;
    const before = this.#told;
    this.#told = state;
    this.#options.changed(state);
    const ageMs = clock.now() - (read.lastCompleteRead ?? clock.now());
    if (state === "STALE") logger.warn("registry-stale", { registry, ageMs });
    else if (state === "EXPIRED")
      logger.warn("registry-expired", { registry, ageMs, onExpired: this.#limits.onExpired });
    else if (state === "RESTORED") logger.warn("registry-restored", { registry, ageMs });
    else if (before !== "INIT") logger.info("registry-fresh", { registry, before });
  }

  /** Sees to it that there is a look when the state changes next by age alone. */
  #wait(state: SourceState): void {
    const { clock, read } = this.#options;
    const signal = this.#signal;
    const limitMs =
      state === "SYNCED" ? Math.min(this.#limits.staleAfterMs, this.#limits.expireAfterMs) : this.#expiry(state);
    if (signal === undefined || signal.aborted || limitMs === Number.POSITIVE_INFINITY) return;
    const sleepMs = Math.min((read.lastCompleteRead ?? 0) + limitMs - clock.now(), longestSleepMs);
    const at = clock.now() + sleepMs;
    // A look that comes earlier than needed just waits again: no new timer for each read.
    if (this.#timer !== undefined && this.#timer.at <= at) return;
    this.#timer?.end.abort();
    const end = new AbortController();
    this.#timer = { at, end, done: this.#lookAfter(sleepMs, end, signal) };
  }

  #expiry(state: SourceState): number {
    return state === "STALE" || state === "RESTORED" ? this.#limits.expireAfterMs : Number.POSITIVE_INFINITY;
  }

  async #lookAfter(ms: number, end: AbortController, signal: AbortSignal): Promise<void> {
    const untie = abortWith(end, signal);
    try {
      await this.#options.clock.sleep(ms, end.signal);
    } catch (error) {
      if (!end.signal.aborted) this.#options.logger.error("clock-failed", { error });
      return;
    } finally {
      untie();
      if (this.#timer?.end === end) this.#timer = undefined;
    }
    this.look();
  }
}
