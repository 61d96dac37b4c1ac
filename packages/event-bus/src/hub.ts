import { setImmediate as nextTurn } from "node:timers/promises";
import { deepFreeze } from "@signalbox/model";
import type { Catalog, CatalogDelta, Revision } from "@signalbox/model";
import { inSortedForm } from "./delta.ts";
import type { ChangeEvent } from "./event.ts";
import { CatalogFold } from "./fold.ts";
import { Mailbox } from "./mailbox.ts";

/** Keys of a catalog whose copy takes a while. */
const largeCatalog = 1000;

/** A live subscription and how many keys wait for it. */
export interface HubConsumer {
  readonly name: string;
  readonly pending: number;
}

/**
 * The catalog of one process as its consumers follow it: the end of every bus. A consumer's events wait in one coalescing
 * slot, so nobody holds back anybody, and the memory that a stuck consumer costs is bounded by the catalog.
 */
export class Hub {
  readonly #slack: number;
  readonly #mailboxes = new Set<Mailbox>();
  #fold = new CatalogFold();
  #revision: Revision | undefined;
  #closed = false;

  /** `slack`: so many changed keys beyond the size of the catalog may wait before a snapshot takes their place. */
  constructor(slack: number) {
    this.#slack = slack;
  }

  /** The revision that consumers are led to; absent before the first catalog. */
  get revision(): Revision | undefined {
    return this.#revision;
  }

  /** The live subscriptions in the order in which they began. */
  get consumers(): readonly HubConsumer[] {
    return [...this.#mailboxes].map(({ consumer, pending }) => ({ name: consumer, pending }));
  }

  /** Starts over with another catalog, which consumers get as a snapshot. Freezes what it is given. */
  begin(revision: Revision, content: Omit<Catalog, "revision">): void {
    for (const values of [content.entries, content.workloads, content.objects])
      values.forEach((value) => deepFreeze(value));
    this.#fold = new CatalogFold(content);
    this.#revision = Object.freeze({ ...revision });
    for (const mailbox of this.#mailboxes) mailbox.putSnapshot();
  }

  /** Goes on by one delta. Freezes what it is given. */
  advance(revision: Revision, delta: CatalogDelta): void {
    const previous = this.#revision;
    if (previous === undefined) throw new TypeError("there is no catalog yet that could change");
    this.#fold.apply(deepFreeze(delta));
    this.#revision = Object.freeze({ ...revision });
    if (this.#mailboxes.size === 0) return;
    const limit = this.#fold.size + this.#slack;
    // Once for all of them: it looks at every key.
    const sorted = inSortedForm(delta);
    for (const mailbox of this.#mailboxes) mailbox.putDelta(previous, this.#revision, sorted, limit);
  }

  /** Yields a snapshot first, as soon as there is a catalog, then contiguous deltas. Ends when `signal` aborts. */
  async *subscribe(consumer: string, signal: AbortSignal): AsyncGenerator<ChangeEvent, void, undefined> {
    if (signal.aborted || this.#closed) return;
    const mailbox = new Mailbox(consumer);
    this.#mailboxes.add(mailbox);
    if (this.#revision !== undefined) mailbox.putSnapshot();
    try {
      for (;;) {
        await mailbox.arrived(signal);
        // In a turn of the event loop of its own: whoever began the catalog has done much in this one. What comes meanwhile is in it.
        if (mailbox.holdsSnapshot && this.#fold.size >= largeCatalog) await nextTurn();
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

  /** Ends every subscription, also those that begin later. */
  close(): void {
    this.#closed = true;
    for (const mailbox of this.#mailboxes) mailbox.close();
  }
}

// A property read that the compiler does not narrow over an await.
function isAborted(signal: AbortSignal): boolean {
  return signal.aborted;
}
