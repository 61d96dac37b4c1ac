import type { RegistryId } from "@signalbox/model";
import { checkedSteps } from "@signalbox/registry";
import type { Logger, Metrics, ShardContent } from "@signalbox/registry";
import type { Steps } from "@signalbox/slices";
import type { ArchivedShard, ShardArchive } from "./archive.ts";
import type { Line } from "./line.ts";
import { toError } from "./waiting.ts";

/** What a restoration works with. */
export interface RestorationOptions {
  readonly archive: ShardArchive;
  readonly atOnce: boolean;
  readonly logger: Logger;
  metrics(id: RegistryId): Metrics;
  /** Whether nothing of the registry is known yet. */
  isSilent(id: RegistryId): boolean;
  /** Where it is checked and taken in. */
  readonly line: Line;
  restore(id: RegistryId, content: ShardContent, lastCompleteRead: number): Steps<undefined>;
}

/** Brings back what registries said before a restart, unless they speak first. */
export class Restoration {
  readonly #options: RestorationOptions;
  readonly #loads = new Map<RegistryId, Promise<ArchivedShard | undefined>>();
  readonly #early = new Set<Promise<void>>();
  /** What was read, while nobody has decided whether it is served. */
  readonly #read = new Map<RegistryId, ArchivedShard>();

  constructor(options: RestorationOptions) {
    this.#options = options;
  }

  /** Reads what is there; serves it at once where the options say so. */
  begin(id: RegistryId): void {
    const load = this.#load(id).then((shard) => {
      if (shard !== undefined && this.#loads.get(id) === load) this.#read.set(id, shard);
      return shard;
    });
    this.#loads.set(id, load);
    if (!this.#options.atOnce) return;
    const early = this.finish(id).finally(() => this.#early.delete(early));
    this.#early.add(early);
  }

  /** Serves what was read, if the registry is still silent. Resolves when that is decided; never rejects. */
  async finish(id: RegistryId): Promise<void> {
    const loaded = await this.#loads.get(id);
    this.#loads.delete(id);
    this.#read.delete(id);
    if (loaded !== undefined) await this.#options.line.run(this.#serve(id, loaded));
  }

  *#serve(id: RegistryId, shard: ArchivedShard): Steps<undefined> {
    // It may have spoken while this stood in line.
    if (this.#options.isSilent(id)) yield* this.#options.restore(id, shard, shard.lastCompleteRead);
    return undefined;
  }

  /** What was read, whether or not it is served; `undefined` once that is decided. Never rejects. */
  async loaded(id: RegistryId): Promise<ArchivedShard | undefined> {
    return this.#loads.get(id);
  }

  /** What was read and is not served, at this moment; gives it once. */
  take(id: RegistryId): ArchivedShard | undefined {
    const shard = this.#read.get(id);
    this.#read.delete(id);
    return shard;
  }

  /** Resolves when nothing is being read any more. What was read and not used is forgotten. */
  async end(): Promise<void> {
    await Promise.all([...this.#loads.values(), ...this.#early]);
    this.#loads.clear();
    this.#read.clear();
  }

  async #load(id: RegistryId): Promise<ArchivedShard | undefined> {
    const { archive, line, logger } = this.#options;
    const metrics = this.#options.metrics(id);
    try {
      const shard = await archive.load(id);
      if (shard === undefined) return undefined;
      const { lastCompleteRead, ...content } = shard;
      if (!Number.isFinite(lastCompleteRead)) throw new TypeError("lastCompleteRead is not a number");
      let checked: ArchivedShard | undefined;
      // What comes from outside passes the same check as what the registry says itself.
      const sink = checkedSteps(
        {
          *push(update) {
            yield;
            if (update.type === "delta") return undefined;
            const { records, workloads = [], objects = [] } = update;
            checked = { lastCompleteRead, records, workloads, objects };
            return undefined;
          },
          alive() {},
          degraded: (_problem, error) => {
            throw error;
          },
        },
        { id, logger, metrics },
      );
      await line.run(sink.push({ type: "snapshot", ...content }));
      return checked;
    } catch (thrown) {
      metrics.counter("registry_archive_failures_total", { operation: "load" });
      logger.error("registry-restore-failed", { registry: id, error: toError(thrown) });
      return undefined;
    }
  }
}
