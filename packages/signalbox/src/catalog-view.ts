import { CatalogFold, type ChangeEvent, type EventBus } from "@signalbox/event-bus";
import type { Catalog, Revision } from "@signalbox/model";
import { Deferred } from "./deferred.ts";

/** The catalog as a process reads it from the bus. */
export class CatalogView {
  readonly #onEvent: (event: ChangeEvent) => unknown;
  readonly #known = new Deferred<void>();
  #fold = new CatalogFold();
  #revision: Revision | undefined;

  /** `onEvent` is told of every event, of the next one when a promise that it returns is settled. */
  constructor(onEvent: (event: ChangeEvent) => unknown) {
    this.#onEvent = onEvent;
  }

  /** Follows the bus until `signal` aborts. */
  async run(bus: Pick<EventBus, "subscribe">, signal: AbortSignal): Promise<void> {
    for await (const event of bus.subscribe("catalog", signal)) {
      if (event.type === "snapshot") this.#fold = new CatalogFold(event.catalog);
      else this.#fold.apply(event.delta);
      this.#revision = event.type === "snapshot" ? event.catalog.revision : event.revision;
      this.#known.resolve();
      await this.#onEvent(event);
    }
  }

  /** The catalog, or nothing before the first snapshot. */
  catalog(): Catalog | undefined {
    return this.#revision && this.#fold.catalog(this.#revision);
  }

  /** Resolves with the first snapshot. Rejects with the signal's reason when it aborts first. */
  async known(signal: AbortSignal): Promise<void> {
    await this.#known.wait(signal);
  }
}
