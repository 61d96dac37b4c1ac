import type { Turns } from "../turns.ts";
import type { PartialBudget } from "./message-reader.ts";

/** The stream that an inbox belongs to. */
export interface InboxOwner {
  /** Takes one message, which may be a window on more. Throws nothing. */
  deliver(bytes: Uint8Array): void;
  /** Reads nothing more for now. */
  pause(): void;
  /** The inbox is empty: reads on. */
  resume(): void;
}

/**
 * Messages of one stream that wait for their turn, in order. While some wait nothing more is read, so what is held is what
 * one read brought, and all inboxes of a connection hold no more than their budget.
 */
export class Inbox {
  readonly #owner: InboxOwner;
  readonly #turns: Turns;
  readonly #budget: PartialBudget;
  readonly #waiting: Uint8Array[] = [];

  constructor(owner: InboxOwner, turns: Turns, budget: PartialBudget) {
    this.#owner = owner;
    this.#turns = turns;
    this.#budget = budget;
  }

  get empty(): boolean {
    return this.#waiting.length === 0;
  }

  /** Delivers a message: at once, or in a later turn while others have theirs. */
  put(bytes: Uint8Array): void {
    if (this.empty && this.#turns.free()) {
      this.#owner.deliver(bytes);
    } else if (this.#budget.held + bytes.length > this.#budget.max) {
      // More may not be kept: this connection's messages take the time that they take.
      for (const earlier of this.#take()) this.#owner.deliver(earlier);
      this.#owner.deliver(bytes);
    } else {
      this.#budget.held += bytes.length;
      // A copy: it may be a window on a much larger buffer of the socket.
      this.#waiting.push(Uint8Array.from(bytes));
      if (this.#waiting.length > 1) return;
      this.#owner.pause();
      this.#turns.later(() => this.#next());
    }
  }

  /** Forgets what waits. */
  clear(): void {
    this.#take();
  }

  #next(): void {
    const bytes = this.#waiting.shift();
    if (bytes !== undefined) {
      this.#budget.held -= bytes.length;
      this.#owner.deliver(bytes);
    }
    if (this.empty) this.#owner.resume();
    else this.#turns.later(() => this.#next());
  }

  #take(): Uint8Array[] {
    const taken = this.#waiting.splice(0);
    for (const { length } of taken) this.#budget.held -= length;
    return taken;
  }
}
