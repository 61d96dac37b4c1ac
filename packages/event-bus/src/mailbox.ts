import type { CatalogDelta, Revision } from "@signalbox/model";
import { deltaSize, PendingDelta } from "./delta.ts";

/** What a consumer has not taken yet. */
export type Mail =
  | { readonly type: "snapshot" }
  | { readonly type: "delta"; readonly previous: Revision; readonly revision: Revision; readonly delta: CatalogDelta };

/**
 * The one slot between the bus and one consumer. Later deltas merge into the one that waits; a snapshot replaces all that
 * waits. A slow consumer costs freshness, never memory.
 */
export class Mailbox {
  readonly consumer: string;
  #waiting:
    | "snapshot"
    | {
        readonly previous: Revision;
        revision: Revision;
        /** One delta as it came, or several gathered into one. */
        content: CatalogDelta | PendingDelta;
      }
    | undefined;
  #wake: (() => void) | undefined;
  #closed = false;

  constructor(consumer: string) {
    this.consumer = consumer;
  }

  /** How many keys wait; a waiting snapshot counts as one. */
  get pending(): number {
    if (this.#waiting === undefined) return 0;
    return this.#waiting === "snapshot" ? 1 : sizeOf(this.#waiting.content);
  }

  /** Whether what waits is a snapshot. */
  get holdsSnapshot(): boolean {
    return this.#waiting === "snapshot";
  }

  /** Whether nothing will come any more. */
  get closed(): boolean {
    return this.#closed;
  }

  /** Ends the delivery: wakes the consumer, which finds nothing. */
  close(): void {
    this.#closed = true;
    this.#waiting = undefined;
    this.#wake?.();
  }

  /** Leaves word that the consumer needs a snapshot; it is made when it is taken, so it is never old. */
  putSnapshot(): void {
    this.#waiting = "snapshot";
    this.#wake?.();
  }

  /** Adds a delta, in sorted form, to what waits. With more than `limit` keys waiting, a snapshot is cheaper and takes their place. */
  putDelta(previous: Revision, revision: Revision, delta: CatalogDelta, limit: number): void {
    // The snapshot will be made from a state that already has this delta.
    if (this.#waiting === "snapshot") return;
    if (this.#waiting === undefined) {
      // Nearly always it is taken before the next one comes, and then there is nothing to gather and to sort.
      this.#waiting = { previous, revision, content: delta };
    } else {
      const { content } = this.#waiting;
      this.#waiting.content = content instanceof PendingDelta ? content : gathered(content);
      this.#waiting.content.add(delta);
      this.#waiting.revision = revision;
    }
    if (sizeOf(this.#waiting.content) > limit) this.#waiting = "snapshot";
    this.#wake?.();
  }

  /** Takes what waits, or nothing. */
  take(): Mail | undefined {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (waiting === undefined) return undefined;
    if (waiting === "snapshot") return { type: "snapshot" };
    const { content, previous, revision } = waiting;
    return { type: "delta", previous, revision, delta: content instanceof PendingDelta ? content.toDelta() : content };
  }

  /** Resolves once something waits, the mailbox is closed or `signal` aborts. For one waiter at a time. */
  async arrived(signal: AbortSignal): Promise<void> {
    if (this.#waiting !== undefined || this.#closed || signal.aborted) return;
    const { promise, resolve } = withResolvers();
    this.#wake = resolve;
    signal.addEventListener("abort", resolve, { once: true });
    try {
      await promise;
    } finally {
      this.#wake = undefined;
      signal.removeEventListener("abort", resolve);
    }
  }
}

function gathered(delta: CatalogDelta): PendingDelta {
  const pending = new PendingDelta();
  pending.add(delta);
  return pending;
}

function sizeOf(content: CatalogDelta | PendingDelta): number {
  return content instanceof PendingDelta ? content.size : deltaSize(content);
}

function withResolvers(): { promise: Promise<void>; resolve: () => void } {
  let resolve: () => void = () => {};
  const promise = new Promise<void>((done) => (resolve = done));
  return { promise, resolve };
}
