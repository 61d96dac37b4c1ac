import type { Clock, Metrics } from "@signalbox/registry";
import {
  instanceKeyOf,
  type EurekaAnswer,
  type EurekaInstance,
  type Lapse,
  type UnreadableEntry,
} from "../client/answer.ts";
import { NoDeltaError, UnusableAnswerError, type EurekaClient } from "../client.ts";
import type { EurekaStatus } from "../config.ts";
import { Hearing } from "./hearing.ts";

/** What one server says at one moment: all of it. */
export interface PeerView {
  /** By key. */
  readonly instances: ReadonlyMap<string, EurekaInstance>;
  /** Keys that the server says it deleted, and does not list. */
  readonly deleted: ReadonlyMap<string, Deletion>;
  /** Whether the server tells deletions. If not, what is missing is all there is to see. */
  readonly tellsDeletions: boolean;
  /** Whether the read before this one was good as well, and of the same server. */
  readonly contiguous: boolean;
}

/**
 * Why a server says that it deleted an instance. `said`: it was deregistered. `lapsed`: its lease ran out, and the server
 * could be heard all the time, so that the client could have renewed it. `unheard`: its lease ran out while the server
 * could not be heard, by us and perhaps by nobody.
 */
export type Deletion = "said" | "lapsed" | "unheard";

/** Why a full answer was asked for. */
export type FullReason = "start" | "timer" | "hash" | "no-delta";

/** What a peer needs. */
export interface PeerOptions {
  readonly client: EurekaClient;
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly delta: boolean;
  readonly fullSeconds: number;
  /** Told of entries that cannot be read. */
  readonly onUnreadable: (entry: UnreadableEntry) => void;
}

/** What a server says it deleted, by key, with the end of its lease where that was the reason. */
type Deleted = ReadonlyMap<string, Lapse | undefined>;

/** How long a server tells a deletion. */
const tellsForMs = 180_000;

/** What is kept between two reads. */
interface Base {
  readonly instances: Map<string, EurekaInstance>;
  /** Statuses of entries that cannot be read, which the server counts in its hash. */
  readonly unreadable: readonly EurekaStatus[];
  readonly fullAt: number;
  /** Whether deltas lead from this base to the next state, and the hash can prove it. */
  readonly deltas: boolean;
}

/** One server, and what it said last. */
export class Peer {
  readonly url: string;
  readonly #options: PeerOptions;
  readonly #hearing = new Hearing();
  #base: Base | undefined;
  #hash: string | undefined;

  constructor(options: PeerOptions) {
    this.#options = options;
    this.url = options.client.url;
  }

  /** The server's own hash of what it said last; undefined where it offers none. */
  get hash(): string | undefined {
    return this.#hash;
  }

  /** Forgets what the server said: the next read is a full one. */
  forget(): void {
    this.#base = undefined;
  }

  /**
   * Reads what the server says now: by a delta where that is proved to be enough, else in full. With `baseline`, a full
   * answer that lacks one of these keys is followed by a delta, which tells whether they were deleted. Rejects with a
   * SourceError, and forgets, when there is no complete answer.
   */
  async read(baseline: ReadonlyMap<string, unknown>, signal: AbortSignal): Promise<PeerView> {
    const contiguous = this.#base !== undefined;
    try {
      const reason = this.#fullReason();
      const deleted = reason ?? (await this.#applyDelta(signal));
      const told = typeof deleted === "string" ? await this.#full(deleted, baseline, signal) : deleted;
      const { instances = new Map<string, EurekaInstance>(), deltas = false } = this.#base ?? {};
      return { instances, deleted: this.#judged(told), tellsDeletions: deltas, contiguous };
    } catch (error) {
      this.#hearing.failed();
      this.forget();
      throw error;
    }
  }

  #judged(deleted: Deleted): ReadonlyMap<string, Deletion> {
    const now = this.#options.clock.now();
    const judge = (lapse: Lapse | undefined): Deletion => {
      if (lapse === undefined) return "said";
      // The end of a lease is told for three minutes; what is more is a difference between two clocks.
      const at = Math.min(now, Math.max(lapse.at, now - tellsForMs));
      return this.#hearing.wasClear(lapse.leaseMs, at) ? "lapsed" : "unheard";
    };
    return new Map([...deleted].map(([key, lapse]) => [key, judge(lapse)]));
  }

  #fullReason(): FullReason | undefined {
    const { clock, delta, fullSeconds } = this.#options;
    if (this.#base === undefined) return "start";
    if (clock.now() - this.#base.fullAt >= fullSeconds * 1000) return "timer";
    return delta && this.#base.deltas ? undefined : "no-delta";
  }

  /** Follows a delta from the base. Returns the keys that were deleted, or why only a full answer will do. */
  async #applyDelta(signal: AbortSignal): Promise<Deleted | FullReason> {
    const base = this.#base;
    if (base === undefined) return "start";
    let answer: EurekaAnswer;
    try {
      answer = await this.#get("delta", signal);
    } catch (error) {
      // A server that answers, but not this, is asked for the whole at once.
      if (error instanceof NoDeltaError) return this.#without(base);
      if (signal.aborted || !(error instanceof UnusableAnswerError)) throw error;
      return "hash";
    }
    const deleted = apply(answer, base.instances, this.#lag);
    for (const entry of answer.unreadable) this.#options.onUnreadable(entry);
    if (answer.hash === statusHash(base.instances.values(), base.unreadable)) return deleted;
    this.#options.metrics.counter("eureka_hash_mismatches_total");
    return "hash";
  }

  async #full(reason: FullReason, baseline: ReadonlyMap<string, unknown>, signal: AbortSignal): Promise<Deleted> {
    const { clock, metrics, delta, onUnreadable } = this.#options;
    const before = this.#base?.instances;
    const hadDeltas = this.#base?.deltas ?? true;
    const answer = await this.#get("full", signal);
    metrics.counter("eureka_full_reads_total", { reason });
    const instances = new Map<string, EurekaInstance>();
    for (const { key, instance } of answer.entries) instances.set(key, sameOr(before?.get(key), instance));
    for (const entry of answer.unreadable) onUnreadable(entry);
    const unreadable = answer.unreadable.map(({ status }) => status);
    // Where its own hash does not fit what a server lists, it proves nothing for deltas either.
    const provable = answer.hash === statusHash(instances.values(), unreadable);
    if (!provable) metrics.counter("eureka_hash_mismatches_total");
    // A server without deltas is asked again for them with each full answer that the timer wants.
    const mayHave = hadDeltas || reason === "start" || reason === "timer";
    const base = { instances, unreadable, fullAt: clock.now(), deltas: delta && provable && mayHave };
    const since = reason === "no-delta" ? (this.#base?.fullAt ?? base.fullAt) : base.fullAt;
    this.#base = { ...base, fullAt: since };
    const lacks = [...baseline.keys()].some((key) => !instances.has(key));
    return lacks && base.deltas ? this.#deletions(instances, signal) : new Map();
  }

  /** What the server says it deleted. It is asked after the full answer, so that all that is missing there is told here. */
  async #deletions(instances: Map<string, EurekaInstance>, signal: AbortSignal): Promise<Deleted> {
    try {
      return apply(await this.#get("delta", signal), instances, () => undefined);
    } catch (error) {
      if (signal.aborted) throw error;
      if (error instanceof NoDeltaError && this.#base !== undefined) this.#without(this.#base);
      return new Map();
    }
  }

  #without(base: Base): "no-delta" {
    this.#base = { ...base, deltas: false };
    return "no-delta";
  }

  async #get(kind: "full" | "delta", signal: AbortSignal): Promise<EurekaAnswer> {
    const { client, clock, metrics } = this.#options;
    const start = clock.now();
    const answer = await client.get(kind, signal);
    this.#hearing.heard(start, clock.now());
    this.#hash = answer.hash;
    metrics.counter("eureka_reads_total", { kind });
    metrics.histogram("eureka_read_seconds", (clock.now() - start) / 1000, { kind });
    return answer;
  }

  readonly #lag = (updatedAt: number): void => {
    const { clock, metrics } = this.#options;
    const lag = clock.now() - updatedAt;
    // Past these bounds it is the clocks that differ.
    if (updatedAt > 0 && lag >= 0 && lag < 3_600_000) metrics.histogram("eureka_lag_seconds", lag / 1000);
  };
}

/** Applies the entries in their order, each as a state and not as a step: answers repeat entries. Returns what was deleted. */
function apply(
  answer: EurekaAnswer,
  instances: Map<string, EurekaInstance>,
  onChange: (updatedAt: number) => void,
): Deleted {
  const deleted = new Map<string, Lapse | undefined>();
  for (const { key, instance, deleted: gone, lapse, updatedAt } of answer.entries) {
    const before = instances.get(key);
    const now = gone ? undefined : sameOr(before, instance);
    if (before !== now) onChange(updatedAt);
    if (now === undefined) {
      instances.delete(key);
      deleted.set(key, lapse);
    } else {
      instances.set(key, now);
      deleted.delete(key);
    }
  }
  return deleted;
}

/** Eureka's `apps__hashcode` over these: each status with its count, sorted. Empty where there is nothing. */
export function statusHash(instances: Iterable<EurekaInstance>, further: Iterable<EurekaStatus> = []): string {
  const counts = new Map<string, number>();
  const count = (status: EurekaStatus): void => void counts.set(status, (counts.get(status) ?? 0) + 1);
  for (const { status } of instances) count(status);
  for (const status of further) count(status);
  return [...counts]
    .map(([status, number]) => `${status}_${number}_`)
    .sort()
    .join("");
}

/** The object of before where it says the same, so that an unchanged instance is known by its identity. */
function sameOr(before: EurekaInstance | undefined, now: EurekaInstance): EurekaInstance {
  if (before === undefined || instanceKeyOf(before) !== instanceKeyOf(now)) return now;
  return JSON.stringify(before) === JSON.stringify(now) ? before : now;
}
