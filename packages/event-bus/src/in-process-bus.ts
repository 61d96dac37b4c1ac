import { randomUUID } from "node:crypto";
import { deepFreeze } from "@signalbox/model";
import type { Catalog, CatalogDelta, Revision } from "@signalbox/model";
import { FencedError } from "./bus.ts";
import type { BusWriter, EventBus } from "./bus.ts";
import { isEmptyDelta } from "./delta.ts";
import type { ChangeEvent } from "./event.ts";
import { CatalogFold } from "./fold.ts";
import { Mailbox } from "./mailbox.ts";

/** How an in-process bus behaves. */
export interface InProcessBusOptions {
  /** Gives the name of the next epoch. It must never give one twice. Default: a random UUID. */
  readonly newEpoch?: () => string;
  /**
   * How many changed keys may wait for a consumer beyond the size of the catalog before it gets a snapshot instead of a
   * delta. Default 1024.
   */
  readonly slack?: number;
}

/** What an in-process bus shows about itself. */
export interface InProcessBusStatus {
  /** The revision that consumers are led to; absent before the first writer. */
  readonly revision?: Revision;
  /** Whether a writer leads now. */
  readonly led: boolean;
  /** The live subscriptions in the order in which they began, with the number of keys that wait for each. */
  readonly consumers: readonly { readonly name: string; readonly pending: number }[];
}

/** An event bus within one process. */
export interface InProcessBus extends EventBus {
  status(): InProcessBusStatus;
}

/** Thrown when somebody wants to lead a bus that was closed. */
export class BusClosedError extends Error {
  readonly code = "SBX_BUS_CLOSED";

  constructor() {
    super("the bus was closed");
    this.name = "BusClosedError";
  }
}

/**
 * Makes a bus for writers and consumers in one process. Leading never waits: the newest writer fences the one before. A
 * consumer's events wait in one coalescing slot, so nobody holds back anybody. When the writer's signal aborts, it no
 * longer leads, and consumers keep what they have.
 */
export function createInProcessBus(options: InProcessBusOptions = {}): InProcessBus {
  return new Bus(options);
}

class Bus implements InProcessBus {
  readonly #newEpoch: () => string;
  readonly #slack: number;
  readonly #mailboxes = new Set<Mailbox>();
  #closed = false;
  #fold = new CatalogFold();
  #revision: Revision | undefined;
  #writer: Writer | undefined;

  constructor(options: InProcessBusOptions) {
    this.#newEpoch = options.newEpoch ?? randomUUID;
    this.#slack = options.slack ?? 1024;
  }

  async lead(snapshot: () => Omit<Catalog, "revision">, signal: AbortSignal): Promise<BusWriter> {
    signal.throwIfAborted();
    if (this.#closed) throw new BusClosedError();
    const content = snapshot();
    for (const values of [content.entries, content.workloads, content.objects])
      values.forEach((value) => deepFreeze(value));
    this.#writer?.fence();
    this.#fold = new CatalogFold(content);
    this.#revision = Object.freeze({ epoch: this.#newEpoch(), sequence: 0 });
    const writer = new Writer(this.#revision.epoch, (delta) => this.#accept(delta));
    this.#writer = writer;
    writer.endWith(signal);
    for (const mailbox of this.#mailboxes) mailbox.putSnapshot();
    return Promise.resolve(writer);
  }

  async *subscribe(consumer: string, signal: AbortSignal): AsyncGenerator<ChangeEvent, void, undefined> {
    if (signal.aborted || this.#closed) return;
    const mailbox = new Mailbox(consumer);
    this.#mailboxes.add(mailbox);
    if (this.#revision !== undefined) mailbox.putSnapshot();
    try {
      for (;;) {
        await mailbox.arrived(signal);
        if (isAborted(signal) || mailbox.closed) return;
        const mail = mailbox.take();
        if (mail?.type === "snapshot" && this.#revision !== undefined) {
          yield Object.freeze({ v: 1, type: "snapshot", catalog: this.#fold.catalog(this.#revision) });
        } else if (mail?.type === "delta") {
          yield deepFreeze({ v: 1, ...mail });
        }
      }
    } finally {
      this.#mailboxes.delete(mailbox);
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#writer?.fence();
    for (const mailbox of this.#mailboxes) mailbox.close();
    return Promise.resolve();
  }

  status(): InProcessBusStatus {
    return {
      ...(this.#revision && { revision: this.#revision }),
      led: this.#writer?.leads ?? false,
      consumers: [...this.#mailboxes].map(({ consumer, pending }) => ({ name: consumer, pending })),
    };
  }

  #accept(delta: CatalogDelta): Revision {
    const previous = this.#revision;
    if (previous === undefined) throw new TypeError("a writer cannot exist before the first epoch");
    if (isEmptyDelta(delta)) return previous;
    const revision = Object.freeze({ epoch: previous.epoch, sequence: previous.sequence + 1 });
    this.#fold.apply(deepFreeze(delta));
    this.#revision = revision;
    const limit = this.#fold.size + this.#slack;
    for (const mailbox of this.#mailboxes) mailbox.putDelta(previous, revision, delta, limit);
    return revision;
  }
}

class Writer implements BusWriter {
  readonly epoch: string;
  readonly #accept: (delta: CatalogDelta) => Revision;
  #leads = true;
  #forget: () => void = () => {};

  constructor(epoch: string, accept: (delta: CatalogDelta) => Revision) {
    this.epoch = epoch;
    this.#accept = accept;
  }

  get leads(): boolean {
    return this.#leads;
  }

  // Rejects instead of throwing, so that a caller has one way to learn of it.
  async publish(delta: CatalogDelta): Promise<Revision> {
    if (!this.#leads) throw new FencedError(this.epoch);
    return Promise.resolve(this.#accept(delta));
  }

  fence(): void {
    this.#leads = false;
    this.#forget();
  }

  endWith(signal: AbortSignal): void {
    const end = () => this.fence();
    signal.addEventListener("abort", end, { once: true });
    this.#forget = () => signal.removeEventListener("abort", end);
  }
}

// A property read that the compiler does not narrow over an await.
function isAborted(signal: AbortSignal): boolean {
  return signal.aborted;
}
