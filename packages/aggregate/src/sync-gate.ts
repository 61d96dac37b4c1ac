import type { RegistryId } from "@signalbox/model";
import type { Clock, Logger } from "@signalbox/registry";
import { aborted, abortWith } from "./waiting.ts";

/** Holds back publishing until the registries have spoken, so that nobody is told half a world. */
export class SyncGate {
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #overdue: (id: RegistryId) => Promise<boolean>;
  readonly #missing = new Map<RegistryId, AbortController>();

  /**
   * `overdue` is called when a deadline passed, and waited for: what is known from elsewhere may stand in. It says whether the others go on
   * without this registry. Must not reject.
   */
  constructor(clock: Clock, logger: Logger, overdue: (id: RegistryId) => Promise<boolean>) {
    this.#clock = clock;
    this.#logger = logger;
    this.#overdue = overdue;
  }

  /** The registry has spoken, or is gone. */
  release(id: RegistryId): void {
    this.#missing.get(id)?.abort();
    this.#missing.delete(id);
  }

  /**
   * Resolves when each of the registries was released, or its deadline, in milliseconds from now, passed and nobody has to wait for it any
   * longer. Rejects with the signal's reason when it aborts.
   */
  async pass(deadlines: ReadonlyMap<RegistryId, number>, signal: AbortSignal): Promise<void> {
    await Promise.all([...deadlines].map(([id, deadlineMs]) => this.#spoken(id, deadlineMs, signal)));
    signal.throwIfAborted();
  }

  async #spoken(id: RegistryId, deadlineMs: number, signal: AbortSignal): Promise<void> {
    const released = new AbortController();
    this.#missing.set(id, released);
    const untie = abortWith(released, signal);
    try {
      await this.#clock.sleep(deadlineMs, released.signal);
      this.#logger.warn("registry-sync-deadline-passed", { registry: id, deadlineMs });
      if (await this.#overdue(id)) return;
      this.#logger.error("registry-required", { registry: id });
      await aborted(released.signal);
    } catch (error) {
      // Only the release and the end of the run end the sleep early.
      if (!released.signal.aborted) throw error;
    } finally {
      untie();
      this.#missing.delete(id);
    }
  }
}
