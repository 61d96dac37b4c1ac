import { FencedError } from "@signalbox/event-bus";
import type { BusWriter, EventBus } from "@signalbox/event-bus";
import type { Catalog } from "@signalbox/model";
import type { Clock, Logger } from "@signalbox/registry";
import type { RestartOptions } from "./options.ts";
import { isAborted, toError } from "./waiting.ts";

/** What leadership works with. */
export interface LeadershipOptions {
  readonly bus: Pick<EventBus, "lead">;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly restart: RestartOptions;
  /** Gives what the new epoch begins with. From this call until the lead is won or lost the content must not change. */
  snapshot(): Omit<Catalog, "revision">;
  /** Told when the lead was won. */
  won(epoch: string): void;
  /** Told when the bus will never give the lead. */
  failed(error: Error): void;
}

/** Wins the lead on the bus, and wins it again after it was lost. */
export class Leadership {
  readonly #options: LeadershipOptions;
  #writer: BusWriter | undefined;
  #attempt: Promise<void> | undefined;
  #promised = false;
  #ledSince = Number.NEGATIVE_INFINITY;
  #losses = 0;

  constructor(options: LeadershipOptions) {
    this.#options = options;
  }

  /** The writer, while this aggregate leads as far as it knows. */
  get writer(): BusWriter | undefined {
    return this.#writer;
  }

  /** Begins to try, unless it leads or tries already. */
  seek(signal: AbortSignal): void {
    if (this.#writer !== undefined) return;
    this.#attempt ??= this.#try(signal).finally(() => (this.#attempt = undefined));
  }

  /** Resolves when the content may change: at once, unless a snapshot was given and the lead is not yet decided. */
  async settled(): Promise<void> {
    while (this.#promised && this.#attempt !== undefined) await this.#attempt;
  }

  /** Notes that the bus fenced the writer. */
  lost(): void {
    const { clock, restart } = this.#options;
    this.#writer = undefined;
    // Two aggregates that fence each other in turn must not do it at full speed.
    this.#losses = clock.now() - this.#ledSince >= restart.steadyMs ? 0 : this.#losses + 1;
  }

  /** Ends with the run: waits for the attempt under way, whose signal has aborted, and forgets the past. */
  async end(): Promise<void> {
    await this.#attempt;
    this.#writer = undefined;
    this.#losses = 0;
  }

  async #try(signal: AbortSignal): Promise<void> {
    const { bus, clock, logger, restart } = this.#options;
    while (!isAborted(signal)) {
      try {
        // The first loss is answered at once.
        if (this.#losses > 1)
          await clock.sleep(Math.min(restart.maxMs, restart.firstMs * 2 ** Math.min(this.#losses - 2, 30)), signal);
        this.#writer = await bus.lead(() => this.#snapshot(), signal);
        this.#ledSince = clock.now();
        logger.debug("bus-lead-won", { epoch: this.#writer.epoch });
        this.#options.won(this.#writer.epoch);
        return;
      } catch (thrown) {
        if (isAborted(signal)) return;
        const error = toError(thrown);
        if ("code" in error && error.code === "SBX_BUS_CLOSED") {
          this.#options.failed(error);
          return;
        }
        this.#losses = Math.max(2, this.#losses + 1);
        logger.warn("bus-lead-failed", { error });
      } finally {
        this.#promised = false;
      }
    }
  }

  #snapshot(): Omit<Catalog, "revision"> {
    const content = this.#options.snapshot();
    this.#promised = this.#writer === undefined;
    return content;
  }
}

/** Whether an error says that another writer leads. By code, because the bus may come from another copy of the package. */
export function isFenced(error: Error): boolean {
  return error instanceof FencedError || ("code" in error && error.code === "SBX_BUS_FENCED");
}
