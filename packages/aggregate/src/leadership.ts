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
  /** Told when the lead was lost, also while nothing is published. */
  lost(): void;
  /** Told when the bus will never give the lead. */
  failed(error: Error): void;
}

/** The longest wait before the lead is tried for again, in milliseconds: while nobody leads, all consumers hear nothing new. */
const longestWaitMs = 5000;

/** Wins the lead on the bus, and wins it again after it was lost. */
export class Leadership {
  readonly #options: LeadershipOptions;
  #writer: BusWriter | undefined;
  #attempt: Promise<void> | undefined;
  #promised = false;
  #ledSince = Number.NEGATIVE_INFINITY;
  #losses = 0;
  /** The failure that was said last. One that goes on is said once. */
  #said: string | undefined;

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

  /** Whether the content must not change now: a snapshot was given, and the lead is not yet decided. */
  get isPromised(): boolean {
    return this.#promised && this.#attempt !== undefined;
  }

  /** Resolves when the content may change: at once, unless a snapshot was given and the lead is not yet decided. */
  async settled(): Promise<void> {
    while (this.isPromised) await this.#attempt;
  }

  /** Notes that a writer no longer leads. */
  lost(writer: BusWriter, error: Error): void {
    if (this.#writer !== writer) return;
    const { clock, logger, restart } = this.#options;
    this.#writer = undefined;
    // Two aggregates that fence each other in turn must not do it at full speed.
    this.#losses = clock.now() - this.#ledSince >= restart.steadyMs ? 0 : this.#losses + 1;
    logger.warn("bus-lead-lost", { epoch: writer.epoch, error });
    this.#options.lost();
  }

  /** Ends with the run: waits for the attempt under way, whose signal has aborted, and forgets the past. */
  async end(): Promise<void> {
    await this.#attempt;
    this.#writer = undefined;
    this.#losses = 0;
    this.#said = undefined;
  }

  async #try(signal: AbortSignal): Promise<void> {
    const { bus, clock, logger, restart } = this.#options;
    while (!isAborted(signal)) {
      try {
        // The first loss is answered at once.
        if (this.#losses > 1) await clock.sleep(this.#waitMs(restart), signal);
        this.#won(await bus.lead(() => this.#snapshot(), signal), signal);
        if (this.#writer !== undefined) return;
      } catch (thrown) {
        if (isAborted(signal)) return;
        const error = toError(thrown);
        if ("code" in error && error.code === "SBX_BUS_CLOSED") {
          this.#options.failed(error);
          return;
        }
        this.#losses = Math.max(2, this.#losses + 1);
        if (this.#said !== error.message) logger.warn("bus-lead-failed", { error });
        this.#said = error.message;
      } finally {
        this.#promised = false;
      }
    }
  }

  #won(writer: BusWriter, signal: AbortSignal): void {
    const { clock, logger } = this.#options;
    this.#writer = writer;
    this.#ledSince = clock.now();
    this.#said = undefined;
    logger.debug("bus-lead-won", { epoch: writer.epoch });
    this.#options.won(writer.epoch);
    const lost = (): void => {
      // At the end of the run it is given up, not lost.
      if (!signal.aborted) this.lost(writer, toError(writer.over.reason));
    };
    if (writer.over.aborted) lost();
    else writer.over.addEventListener("abort", lost, { once: true });
  }

  #waitMs({ firstMs, maxMs }: RestartOptions): number {
    return Math.min(maxMs, longestWaitMs, firstMs * 2 ** Math.min(this.#losses - 2, 30));
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
