import { canonicalJson, objectKey, serviceKey } from "@signalbox/model";
import type {
  ConfigObject,
  Delta,
  ObjectKey,
  ServiceKey,
  ServiceRecord,
  Workload,
  WorkloadKey,
} from "@signalbox/model";
import { systemClock } from "../clock.ts";
import type { Baseline, Problem, RegistrySink, RegistryUpdate, ShardContent } from "../registry.ts";

/** One call of `degraded`. */
export interface Degradation {
  readonly problem: Problem;
  readonly error: Error;
}

/**
 * A sink that keeps all it is told and folds it into the shard as it is now. Freezes and checks nothing: put a
 * `checkedSink` before it where malformed records may come.
 */
export class RecordingSink implements RegistrySink {
  readonly #updates: RegistryUpdate[] = [];
  readonly #texts: string[] = [];
  readonly #degradations: Degradation[] = [];
  readonly #records = new Map<ServiceKey, ServiceRecord>();
  readonly #workloads = new Map<WorkloadKey, Workload>();
  readonly #objects = new Map<ObjectKey, ConfigObject>();
  readonly #listeners = new Set<() => void>();
  #aliveCount = 0;

  /** All updates in their order. */
  get updates(): readonly RegistryUpdate[] {
    return this.#updates;
  }

  /** All calls of `degraded` in their order. */
  get degradations(): readonly Degradation[] {
    return this.#degradations;
  }

  /** How often `alive` was called. */
  get aliveCount(): number {
    return this.#aliveCount;
  }

  /** The services of the shard: all updates folded. */
  get records(): ReadonlyMap<ServiceKey, ServiceRecord> {
    return this.#records;
  }

  /** The workloads of the shard. */
  get workloads(): ReadonlyMap<WorkloadKey, Workload> {
    return this.#workloads;
  }

  /** The Istio objects of the shard. */
  get objects(): ReadonlyMap<ObjectKey, ConfigObject> {
    return this.#objects;
  }

  /** The shard as it is now, as the baseline of another run: what is pushed afterwards does not change it. */
  asBaseline(): Baseline {
    const content: ShardContent = {
      records: [...this.#records.values()],
      workloads: [...this.#workloads.values()],
      objects: [...this.#objects.values()],
    };
    return { load: () => Promise.resolve(content) };
  }

  push(update: RegistryUpdate): void {
    this.#updates.push(update);
    this.#texts.push(canonicalJson(update));
    const { type } = update;
    if (type === "snapshot") {
      replace(this.#records, update.records, (record) => serviceKey(record.service));
      replace(this.#workloads, update.workloads ?? [], (workload) => workload.key);
      replace(this.#objects, update.objects ?? [], objectKey);
    } else {
      fold(this.#records, update.records, (record) => serviceKey(record.service));
      fold(this.#workloads, update.workloads, (workload) => workload.key);
      fold(this.#objects, update.objects, objectKey);
    }
    this.#tell();
  }

  alive(): void {
    this.#aliveCount++;
    this.#tell();
  }

  degraded(problem: Problem, error: Error): void {
    this.#degradations.push({ problem, error });
    this.#tell();
  }

  /** The numbers of the updates, from 0, whose data is no longer what it was when it was pushed. */
  changedAfterPush(): readonly number[] {
    return this.#updates.flatMap((update, index) => (canonicalJson(update) === this.#texts[index] ? [] : [index]));
  }

  /** Resolves with true at the next call of any method, or with false after `ms` milliseconds without one. */
  async changed(ms: number): Promise<boolean> {
    const end = new AbortController();
    let heard = false;
    const listener = (): void => {
      heard = true;
      end.abort();
    };
    this.#listeners.add(listener);
    try {
      await systemClock.sleep(ms, end.signal);
    } catch (error) {
      if (!end.signal.aborted) throw error;
    } finally {
      this.#listeners.delete(listener);
    }
    return heard;
  }

  /**
   * Resolves as soon as the predicate holds; it is asked now and after every call. Rejects after `deadlineMs`
   * milliseconds with an error that says what was heard until then.
   */
  async waitFor(predicate: (sink: this) => boolean, deadlineMs: number): Promise<void> {
    const end = performance.now() + deadlineMs;
    while (!predicate(this)) {
      const left = end - performance.now();
      if (left <= 0) throw new Error(`not within ${deadlineMs} ms; heard: ${this.summary()}`);
      await this.changed(left);
    }
  }

  /** What was heard so far, in one line. */
  summary(): string {
    const last = this.#degradations.at(-1);
    return [
      `${this.#updates.length} updates (${this.#updates.map((update) => update.type).join(", ")})`,
      `alive ${this.#aliveCount} times`,
      `degraded ${this.#degradations.length} times${last ? ` (${last.problem}: ${last.error.message})` : ""}`,
      `services: ${[...this.#records].map(([key, { instances }]) => `${key} (${instances.length})`).join(", ") || "none"}`,
    ].join("; ");
  }

  #tell(): void {
    for (const listener of [...this.#listeners]) listener();
  }
}

function replace<K, V>(map: Map<K, V>, values: readonly V[], keyOf: (value: V) => K): void {
  map.clear();
  for (const value of values) map.set(keyOf(value), value);
}

function fold<K, V>(map: Map<K, V>, delta: Delta<K, V> | undefined, keyOf: (value: V) => K): void {
  for (const key of delta?.removed ?? []) map.delete(key);
  for (const value of delta?.upserted ?? []) map.set(keyOf(value), value);
}
