import { Waiters } from "./waiting.ts";

/** Bounds of a queue for reads. */
export interface SlotsOptions {
  /** Reads that may wait on the server at the same time. */
  readonly concurrency: number;
  /** How long one read may wait on the server where there are slots for all, in milliseconds. */
  readonly waitMs: number;
  /** How long it may take until everyone had a turn where there are not, in milliseconds. */
  readonly rotationMs: number;
}

/** A turn shorter than this costs the server more than it finds out. */
const shortestTurnMs = 250;

/**
 * Shares few connections among many watches. First come, first served: who has had a turn queues up at the end. With more
 * members than slots the turns get shorter, so that nobody starves.
 */
export class Slots {
  readonly #options: SlotsOptions;
  readonly #queue = new Waiters();
  #members = 0;
  #taken = 0;

  constructor(options: SlotsOptions) {
    this.#options = options;
  }

  /** Counts one more member; the call that is returned ends its membership. */
  join(): () => void {
    this.#members++;
    return () => {
      this.#members--;
    };
  }

  /** How long a read that begins now may wait on the server, in milliseconds. */
  get turnMs(): number {
    const { concurrency, waitMs, rotationMs } = this.#options;
    if (this.#members <= concurrency) return waitMs;
    return Math.min(waitMs, Math.max(shortestTurnMs, (rotationMs * concurrency) / this.#members));
  }

  /** Reads that hold a slot now. */
  get taken(): number {
    return this.#taken;
  }

  /** Runs a read when it is its turn. Rejects with the signal's reason when it aborts before. */
  async run<T>(read: () => Promise<T>, signal: AbortSignal): Promise<T> {
    signal.throwIfAborted();
    if (this.#taken < this.#options.concurrency) this.#taken++;
    else await this.#queue.wait(signal);
    try {
      // A slot that was handed over just before the abort goes on to the next.
      signal.throwIfAborted();
      return await read();
    } finally {
      // A slot passes from hand to hand, so that nobody who comes later can take it in between.
      if (!this.#queue.wakeFirst()) this.#taken--;
    }
  }
}
