import { atOnce, type Steps } from "@signalbox/slices";
import type { Turns } from "../turns.ts";
import type { PartialBudget } from "./message-reader.ts";
import type { ReceivedMessage } from "./received-message.ts";

/** The stream that an inbox belongs to. */
export interface InboxOwner {
  /** Takes one message, which may be a window on more, or begins to: what is returned is left to do. Neither throws anything. */
  deliver(bytes: Uint8Array): Steps<undefined> | undefined;
  /** Reads nothing more for now. */
  pause(): void;
  /** The inbox is empty: reads on. */
  resume(): void;
}

/** A message that is being taken in steps. */
interface Begun {
  readonly steps: Steps<undefined>;
  readonly bytes: number;
}

/**
 * Messages of one stream that wait for their turn, in order, and the one that is being taken. While there are some nothing
 * more is read, so what is held is what one read brought, and all inboxes of a connection hold no more than their budget.
 */
export class Inbox {
  readonly #owner: InboxOwner;
  readonly #turns: Turns;
  readonly #budget: PartialBudget;
  readonly #waiting: ReceivedMessage[] = [];
  #begun: Begun | undefined;

  constructor(owner: InboxOwner, turns: Turns, budget: PartialBudget) {
    this.#owner = owner;
    this.#turns = turns;
    this.#budget = budget;
  }

  get empty(): boolean {
    return this.#waiting.length === 0 && this.#begun === undefined;
  }

  /** Delivers a message: at once, or in a later turn while others have theirs, and a large one in several. */
  put(message: ReceivedMessage): void {
    const { empty } = this;
    const fits = this.#budget.held + message.bytes.length <= this.#budget.max;
    if (empty && this.#turns.free()) {
      this.#begin(message);
      if (!fits) this.#finishBegun();
      else if (this.#begun === undefined || this.#slice(this.#begun)) return;
      else {
        this.#owner.pause();
        this.#turns.goOn(() => this.#next());
      }
    } else if (!fits) {
      // More may not be kept: this connection's messages take the time that they take.
      this.#finishBegun();
      for (const next of [...this.#take(), message]) {
        this.#begin(next);
        this.#finishBegun();
      }
    } else {
      this.#budget.held += message.bytes.length;
      this.#waiting.push(message.toKeep());
      if (!empty) return;
      this.#owner.pause();
      this.#turns.later(() => this.#next());
    }
  }

  /** Forgets what waits, and what is left to do of the message that is being taken. */
  clear(): void {
    this.#take();
    this.#end();
  }

  #next(): void {
    if (this.#begun === undefined) {
      const message = this.#waiting.shift();
      if (message !== undefined) {
        this.#budget.held -= message.bytes.length;
        this.#begin(message);
      }
    }
    if (this.#begun !== undefined && !this.#slice(this.#begun)) this.#turns.goOn(() => this.#next());
    else if (this.empty) this.#owner.resume();
    else this.#turns.later(() => this.#next());
  }

  /** Delivers a message; it is held while steps of it are left. */
  #begin(message: ReceivedMessage): void {
    const steps = this.#owner.deliver(message.bytes);
    if (steps === undefined) return;
    this.#begun = { steps, bytes: message.bytes.length };
    this.#budget.held += message.bytes.length;
  }

  /** Returns whether nothing is left of the message. */
  #slice(begun: Begun): boolean {
    // The stream may have ended with one of the steps, and then what is left of them is forgotten.
    if (!this.#turns.slice(begun.steps) && this.#begun === begun) return false;
    this.#end();
    return true;
  }

  #finishBegun(): void {
    const begun = this.#begun;
    this.#end();
    if (begun !== undefined) atOnce(begun.steps);
  }

  #end(): void {
    this.#budget.held -= this.#begun?.bytes ?? 0;
    this.#begun = undefined;
  }

  #take(): ReceivedMessage[] {
    const taken = this.#waiting.splice(0);
    for (const { bytes } of taken) this.#budget.held -= bytes.length;
    return taken;
  }
}
