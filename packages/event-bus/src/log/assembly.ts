import type { CatalogDelta, Revision } from "@signalbox/model";
import { PendingDelta } from "../delta.ts";
import { CatalogFold, GapError } from "../fold.ts";
import type { Hub } from "../hub.ts";
import type { LogMessage } from "./messages.ts";

/** What an assembly hands its catalog to. */
export type CatalogTarget = Pick<Hub, "advance" | "begin" | "revision">;

/** A snapshot as it comes. */
interface Loading {
  readonly begin: number;
  readonly fold: CatalogFold;
  /** Changes that came before the end of the snapshot: they are newer than it. */
  readonly early: PendingDelta;
  ended: boolean;
}

/**
 * Makes a catalog out of the messages of one log, read from the beginning of a snapshot. Consumers see nothing of it before
 * the snapshot is complete and has caught up, and only whole sequences from then on: nobody goes back in time.
 */
export class Assembly {
  readonly #epoch: string;
  readonly #target: CatalogTarget;
  readonly #showAt: number;
  #loading: Loading | undefined;
  /** The messages so far of a sequence that is not complete. */
  #partial = new PendingDelta();
  #sequence: number | undefined;
  #shown = false;

  /** `showAt`: position up to which the log was filled when reading began. Nothing older than that is shown. */
  constructor(epoch: string, target: CatalogTarget, showAt: number) {
    this.#epoch = epoch;
    this.#target = target;
    this.#showAt = showAt;
  }

  /** Whether consumers have the catalog. */
  get shown(): boolean {
    return this.#shown;
  }

  /** Takes the next message, which begins at this position. Throws a GapError where something is missing. */
  take(message: LogMessage, first: number): void {
    switch (message.type) {
      case "begin":
        // A later snapshot says nothing new about a catalog that is known already, except where it is.
        if (this.#sequence !== undefined && message.sequence !== this.#sequence) throw this.#gap(message.sequence);
        if (this.#sequence !== undefined) break;
        this.#loading = { begin: first, fold: new CatalogFold(), early: new PendingDelta(), ended: false };
        this.#sequence = message.sequence;
        break;
      case "part":
        if (this.#loading?.ended === false) this.#loading.fold.apply(message.delta);
        break;
      case "end":
        this.#end(message);
        break;
      case "change":
        this.#change(message.sequence, message.last, message.delta);
        break;
    }
  }

  /**
   * Says that all up to this position was taken. Shows the catalog if it is complete and has caught up. Positions, not
   * messages: the last thing in a log may be a piece of a message that its writer did not live to finish.
   */
  reached(position: number): void {
    const { revision } = this.#target;
    if (this.#shown || this.#loading?.ended !== true || position < this.#showAt) return;
    const sequence = this.#sequence ?? 0;
    if (revision?.epoch === this.#epoch && revision.sequence > sequence) return;
    this.#target.begin(this.#revision(sequence), this.#loading.fold);
    this.#loading = undefined;
    this.#shown = true;
  }

  #end({ begin, keys }: Extract<LogMessage, { type: "end" }>): void {
    const loading = this.#loading;
    if (loading?.begin !== begin || loading.ended) return;
    if (loading.fold.size !== keys) throw this.#gap();
    loading.fold.apply(loading.early.toDelta());
    loading.ended = true;
  }

  #change(sequence: number, last: boolean, delta: CatalogDelta): void {
    if (this.#sequence === undefined || sequence !== this.#sequence + 1) throw this.#gap(sequence - 1);
    this.#partial.add(delta);
    if (!last) return;
    const whole = this.#partial.toDelta();
    this.#partial = new PendingDelta();
    this.#sequence = sequence;
    if (this.#shown) this.#target.advance(this.#revision(sequence), whole);
    else if (this.#loading?.ended === true) this.#loading.fold.apply(whole);
    else this.#loading?.early.add(whole);
  }

  #gap(previous = this.#sequence ?? 0): GapError {
    const have = this.#sequence === undefined ? undefined : this.#revision(this.#sequence);
    return new GapError(have, this.#revision(Math.max(0, previous)));
  }

  #revision(sequence: number): Revision {
    return { epoch: this.#epoch, sequence };
  }
}
