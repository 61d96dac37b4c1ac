import { randomUUID } from "node:crypto";
import type { Catalog, CatalogDelta, Revision } from "@signalbox/model";
import { BusClosedError, FencedError } from "./bus.ts";
import type { BusWriter, EventBus } from "./bus.ts";
import { isEmptyDelta } from "./delta.ts";
import type { ChangeEvent } from "./event.ts";
import { Hub } from "./hub.ts";

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
  readonly #hub: Hub;
  #closed = false;
  #writer: Writer | undefined;

  constructor(options: InProcessBusOptions) {
    this.#newEpoch = options.newEpoch ?? randomUUID;
    this.#hub = new Hub(options.slack ?? 1024);
  }

  async lead(snapshot: () => Omit<Catalog, "revision">, signal: AbortSignal): Promise<BusWriter> {
    signal.throwIfAborted();
    if (this.#closed) throw new BusClosedError();
    const content = snapshot();
    this.#writer?.fence(new Error("another writer leads"));
    const epoch = this.#newEpoch();
    this.#hub.begin({ epoch, sequence: 0 }, content);
    const writer = new Writer(epoch, (delta) => this.#accept(delta));
    this.#writer = writer;
    writer.endWith(signal);
    return Promise.resolve(writer);
  }

  subscribe(consumer: string, signal: AbortSignal): AsyncGenerator<ChangeEvent, void, undefined> {
    return this.#hub.subscribe(consumer, signal);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#writer?.fence(new BusClosedError());
    this.#hub.close();
    return Promise.resolve();
  }

  status(): InProcessBusStatus {
    const { consumers, revision } = this.#hub;
    return { ...(revision && { revision }), led: this.#writer?.leads ?? false, consumers };
  }

  #accept(delta: CatalogDelta): Revision {
    const previous = this.#hub.revision;
    if (previous === undefined) throw new TypeError("a writer cannot exist before the first epoch");
    if (isEmptyDelta(delta)) return previous;
    const revision = Object.freeze({ epoch: previous.epoch, sequence: previous.sequence + 1 });
    this.#hub.advance(revision, delta);
    return revision;
  }
}

class Writer implements BusWriter {
  readonly epoch: string;
  readonly #accept: (delta: CatalogDelta) => Revision;
  readonly #over = new AbortController();
  #forget: () => void = () => {};

  constructor(epoch: string, accept: (delta: CatalogDelta) => Revision) {
    this.epoch = epoch;
    this.#accept = accept;
  }

  get leads(): boolean {
    return !this.#over.signal.aborted;
  }

  get over(): AbortSignal {
    return this.#over.signal;
  }

  // Rejects instead of throwing, so that a caller has one way to learn of it.
  async publish(delta: CatalogDelta): Promise<Revision> {
    if (!this.leads) throw new FencedError(this.epoch, { cause: this.over.reason });
    return Promise.resolve(this.#accept(delta));
  }

  fence(reason: unknown): void {
    this.#forget();
    this.#over.abort(reason);
  }

  endWith(signal: AbortSignal): void {
    const end = () => this.fence(signal.reason);
    signal.addEventListener("abort", end, { once: true });
    this.#forget = () => signal.removeEventListener("abort", end);
  }
}
