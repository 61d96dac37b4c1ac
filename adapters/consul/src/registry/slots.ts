/** Bounds of a queue for reads. */
export interface SlotsOptions {
  /** Reads that may wait on the server at the same time. */
  readonly concurrency: number;
  /** How long one read may wait on the server where there are slots for all, in milliseconds. */
  readonly waitMs: number;
  /** How long it may take until everyone had a turn where there are not, in milliseconds. */
  readonly rotationMs: number;
}

/** One read that wants a slot. */
export interface SlotsRequest {
  /** It is answered at once, and does not wait on the server. */
  readonly atOnce: boolean;
  readonly signal: AbortSignal;
}

/** A read that waits for its slot. */
interface Queued {
  readonly atOnce: boolean;
  readonly start: () => void;
}

/** A turn shorter than this costs the server more than it finds out. */
const shortestTurnMs = 250;

/** Reads at the same time that are answered at once. More only take memory and the time of those that wait for news. */
const mostAtOnce = 32;
/** Reads that are started without a pause for other work. */
const mostInOneGo = 32;

/**
 * Shares few connections among many watches. First come, first served: who has had a turn queues up at the end. With more
 * members than slots the turns get shorter, so that nobody starves. Where everything is to be read, as at the start, the waits
 * for news queue up behind.
 */
export class Slots {
  readonly #options: SlotsOptions;
  readonly #queue = new Set<Queued>();
  #members = 0;
  #taken = 0;
  #atOnce = 0;
  #rest: NodeJS.Immediate | undefined;

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
    if (!this.areShort) return waitMs;
    return Math.min(waitMs, Math.max(shortestTurnMs, (rotationMs * concurrency) / this.#members));
  }

  /** Whether there are fewer slots than members. */
  get areShort(): boolean {
    return this.#members > this.#options.concurrency;
  }

  /** Reads that hold a slot now. */
  get taken(): number {
    return this.#taken;
  }

  /** Runs a read when it is its turn. Rejects with the signal's reason when it aborts before. */
  async run<T>(read: () => Promise<T>, { atOnce, signal }: SlotsRequest): Promise<T> {
    signal.throwIfAborted();
    // A slot passes from hand to hand, so that nobody who comes later can take it in between.
    if (this.#queue.size === 0 && this.#isFree(atOnce)) this.#take(atOnce);
    else await this.#wait(atOnce, signal);
    try {
      // A slot that was handed over just before the abort goes on to the next.
      signal.throwIfAborted();
      return await read();
    } finally {
      this.#taken--;
      if (atOnce) this.#atOnce--;
      this.#handOver();
    }
  }

  #isFree(atOnce: boolean): boolean {
    return this.#taken < this.#options.concurrency && !(atOnce && this.#atOnce >= mostAtOnce);
  }

  #take(atOnce: boolean): void {
    this.#taken++;
    if (atOnce) this.#atOnce++;
  }

  #wait(atOnce: boolean, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const start = () => {
        signal.removeEventListener("abort", abort);
        resolve();
      };
      const queued = { atOnce, start };
      const abort = () => {
        this.#queue.delete(queued);
        reject(signal.reason as Error);
        // It may have been the one that kept the others.
        this.#handOver();
      };
      signal.addEventListener("abort", abort, { once: true });
      this.#queue.add(queued);
    });
  }

  /** Starts those at the head of the queue for whom there is room. */
  #handOver(): void {
    if (this.#rest !== undefined) return;
    let started = 0;
    for (const queued of this.#queue) {
      if (!this.#isFree(queued.atOnce)) return;
      // Thousands of connections opened in one go would keep everything else waiting.
      if (started++ === mostInOneGo) {
        this.#rest = setImmediate(() => {
          this.#rest = undefined;
          this.#handOver();
        });
        return;
      }
      this.#queue.delete(queued);
      this.#take(queued.atOnce);
      queued.start();
    }
  }
}
