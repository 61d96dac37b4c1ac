import type { Catalog, CatalogDelta, Revision } from "@signalbox/model";
import type { ChangeEvent } from "./event.ts";

/** The one writer of a catalog. */
export interface BusWriter {
  readonly epoch: string;
  /**
   * Aborts when this writer no longer leads, as far as this process knows: also when nothing is published, so that whoever
   * wants to lead learns that nobody may be leading now. The reason says why.
   */
  readonly over: AbortSignal;
  /**
   * Resolves with the revision the delta became: one more than the last one. An empty delta changes nothing and resolves
   * with the revision as it is. Rejects with FencedError once another writer leads.
   */
  publish(delta: CatalogDelta): Promise<Revision>;
}

/** The road between discovery and publishers. */
export interface EventBus {
  /**
   * Waits until this process is the one writer. The bus asks for a snapshot when it needs one (new epoch, lost data,
   * compaction); the snapshot must contain exactly what was published so far. The snapshot of a new epoch is its
   * sequence 0. When `signal` aborts, the wait ends, or this process no longer leads.
   */
  lead(snapshot: () => Omit<Catalog, "revision">, signal: AbortSignal): Promise<BusWriter>;
  /** Yields a snapshot first, then contiguous deltas; after a gap or a new epoch, a snapshot again. Ends when `signal` aborts. */
  subscribe(consumer: string, signal: AbortSignal): AsyncIterable<ChangeEvent>;
  /** Ends every subscription and fences the writer. */
  close(): Promise<void>;
}

/**
 * Thrown when a writer publishes after another one took the lead, or after the bus was closed. Also when the engine behind
 * a bus cannot tell whether it stored something: the writer then gives up its epoch, and `cause` says why.
 */
export class FencedError extends Error {
  readonly code = "SBX_BUS_FENCED";
  readonly epoch: string;

  constructor(epoch: string, options?: ErrorOptions) {
    super(`the writer of epoch ${epoch} no longer leads`, options);
    this.name = "FencedError";
    this.epoch = epoch;
  }
}

/** Thrown when somebody wants to lead a bus that was closed. */
export class BusClosedError extends Error {
  readonly code = "SBX_BUS_CLOSED";

  constructor() {
    super("the bus was closed");
    this.name = "BusClosedError";
  }
}
