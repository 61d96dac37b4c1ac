import type { RegistryId } from "@signalbox/model";
import type { Clock, Logger, Metrics } from "@signalbox/registry";
import type { ArchivedShard, ShardArchive } from "./archive.ts";
import { abortWith, isAborted, Latch, toError } from "./waiting.ts";

/** What archiving works with. */
export interface ArchivingOptions {
  readonly archive: ShardArchive;
  readonly clock: Clock;
  readonly logger: Logger;
  metrics(id: RegistryId): Metrics;
  readonly saveEveryMs: number;
  /** What the registry says now; `undefined` where it has not spoken since the process began, or is gone. */
  content(id: RegistryId): ArchivedShard | undefined;
}

/** A registry that says nothing but that it is alive is saved so many times less often, for its age only. */
const aliveFactor = 30;

/** Saves what registries say: after changes, but not too often, and at the end. */
export class Archiving {
  readonly #options: ArchivingOptions;
  readonly #changed = new Set<RegistryId>();
  /** Registries that were alive since they were saved, and when that was. */
  readonly #alive = new Set<RegistryId>();
  readonly #savedAt = new Map<RegistryId, number>();
  #work = new Latch();

  constructor(options: ArchivingOptions) {
    this.#options = options;
  }

  /** A read was complete, and gave something new or not. */
  note(id: RegistryId, changed: boolean): void {
    (changed ? this.#changed : this.#alive).add(id);
    if (changed || this.#isDue(id)) this.#work.open();
  }

  /** Forgets a registry that is gone. */
  drop(id: RegistryId): void {
    this.#changed.delete(id);
    this.#alive.delete(id);
    this.#savedAt.delete(id);
  }

  /** Saves until `signal` aborts, then resolves. Failures are logged and tried again. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, saveEveryMs } = this.#options;
    const end = new AbortController();
    const untie = abortWith(end, signal);
    try {
      for (;;) {
        await this.#work.passed(end.signal);
        // The first wait gathers what comes with the first snapshot, each further one keeps the rate.
        await clock.sleep(saveEveryMs, end.signal);
        this.#work = new Latch();
        await this.#save(false);
      }
    } catch (error) {
      if (!isAborted(signal)) this.#options.logger.error("clock-failed", { error });
    } finally {
      untie();
    }
  }

  /** Saves all that was not saved yet. Call it when no registry speaks any more. */
  async flush(): Promise<void> {
    await this.#save(true);
  }

  async #save(all: boolean): Promise<void> {
    const due = [...this.#changed, ...[...this.#alive].filter((id) => all || this.#isDue(id))];
    // One after another: writing must not take the machine from the pipeline.
    for (const id of new Set(due)) await this.#saveOne(id);
  }

  async #saveOne(id: RegistryId): Promise<void> {
    const { archive, clock, logger } = this.#options;
    this.#changed.delete(id);
    this.#alive.delete(id);
    const content = this.#options.content(id);
    if (content === undefined) return;
    this.#savedAt.set(id, clock.now());
    try {
      await archive.save(id, content);
    } catch (thrown) {
      this.#options.metrics(id).counter("registry_archive_failures_total", { operation: "save" });
      logger.error("registry-save-failed", { registry: id, error: toError(thrown) });
      this.#changed.add(id);
      this.#work.open();
    }
  }

  #isDue(id: RegistryId): boolean {
    const { clock, saveEveryMs } = this.#options;
    return clock.now() - (this.#savedAt.get(id) ?? Number.NEGATIVE_INFINITY) >= saveEveryMs * aliveFactor;
  }
}
