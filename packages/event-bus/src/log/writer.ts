import { setImmediate as nextTurn } from "node:timers/promises";
import type { Catalog, CatalogDelta, Revision } from "@signalbox/model";
import { FencedError } from "../bus.ts";
import type { BusWriter } from "../bus.ts";
import { isEmptyDelta } from "../delta.ts";
import { CatalogFold } from "../fold.ts";
import type { Claim, LogEngine } from "./engine.ts";
import { toFrames } from "./frames.ts";
import type { Lease } from "./lease.ts";
import { changeMessages, encodeMessage, snapshotParts } from "./messages.ts";

/** How a log is written. */
export interface WriterLimits {
  /** A new snapshot is written when the changes since the last one take more bytes than it and than this. Default 32 MiB. */
  readonly compactAfterBytes: number;
  /** Bytes of one part of a snapshot, about, before compression: what a writer makes, and a reader takes, in one piece. Default 128 KiB. */
  readonly partBytes: number;
  /** Bytes given to the engine at a time, about. Default 1 MiB. */
  readonly batchBytes: number;
}

export const defaultWriterLimits: WriterLimits = {
  compactAfterBytes: 32 * 1024 * 1024,
  partBytes: 128 * 1024,
  batchBytes: 1024 * 1024,
};

/** What a writer is made of. */
export interface LogWriterOptions {
  readonly engine: LogEngine;
  readonly lease: Lease;
  readonly claim: Claim;
  readonly limits: WriterLimits;
  readonly maxFrameBytes: number;
  /** What the epoch begins with. */
  readonly content: Omit<Catalog, "revision">;
}

/** The epoch of a claim. */
export function epochOf({ nonce, number }: Claim): string {
  return `${number}-${nonce}`;
}

/**
 * Writes the log of one claim. Whatever goes wrong ends it, because after an append with an unknown outcome only a new
 * claim with a new snapshot is certain.
 */
export class LogWriter implements BusWriter {
  readonly epoch: string;
  readonly #options: LogWriterOptions;
  readonly #fold: CatalogFold;
  #sequence = 0;
  /** Position of the last frame that is stored. */
  #last = 0;
  /** Position of the first frame of the latest complete snapshot. */
  #begin = 0;
  #snapshotBytes = 0;
  #changeBytes = 0;
  #compacting: Promise<void> | undefined;
  /** Appends wait for each other here: frames of one message must not be torn apart. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(options: LogWriterOptions) {
    this.epoch = epochOf(options.claim);
    this.#options = options;
    this.#fold = new CatalogFold(options.content);
  }

  /** Whether this process may still write, as far as it can know. */
  get leads(): boolean {
    return this.#options.lease.valid;
  }

  get over(): AbortSignal {
    return this.#options.lease.over;
  }

  get revision(): Revision {
    return { epoch: this.epoch, sequence: this.#sequence };
  }

  /** Writes the first snapshot and sends readers to it. What it rejects with must end the lease. */
  async begin(): Promise<void> {
    await this.#snapshot();
    // Only now may the logs go that readers followed until they learned of this one; they have what they read.
    const { claim, engine, lease } = this.#options;
    await engine.removeEarlier(claim, lease.over);
  }

  async publish(delta: CatalogDelta): Promise<Revision> {
    return this.#guarded(async () => {
      this.#options.lease.assert();
      if (isEmptyDelta(delta)) return this.revision;
      const revision = await this.#inTurn(async () => {
        const sequence = this.#sequence + 1;
        this.#changeBytes += await this.#append(changeMessages(sequence, delta).map(encodeMessage));
        this.#sequence = sequence;
        this.#fold.apply(delta);
        return this.revision;
      });
      this.#compactWhenDue();
      return revision;
    });
  }

  /** What is wrong with the log in the engine, if anything. */
  async fault(signal: AbortSignal): Promise<string | undefined> {
    const { claim, engine } = this.#options;
    const [begin, last] = [this.#begin, this.#last];
    const extent = await engine.extent(claim, signal);
    if (extent === undefined) return "the engine no longer has the log";
    if (extent.last < last) return `the engine lost frames ${extent.last + 1} to ${last} of the log`;
    if (begin > 0 && extent.first > begin && begin === this.#begin) return "the engine lost the beginning of the log";
    const head = await engine.head(signal);
    if (begin > 0 && head?.claim.nonce !== claim.nonce) return "the engine no longer sends readers to the log";
    return undefined;
  }

  /** Resolves when nothing is being written any more. */
  async settled(): Promise<void> {
    await this.#compacting;
    await this.#turn;
  }

  #compactWhenDue(): void {
    const { compactAfterBytes } = this.#options.limits;
    if (this.#changeBytes <= Math.max(compactAfterBytes, this.#snapshotBytes)) return;
    this.#compacting ??= this.#guarded(() => this.#snapshot())
      // Whoever publishes next learns that the writer ended.
      .catch(() => undefined)
      .finally(() => (this.#compacting = undefined));
  }

  /** Writes a snapshot; changes may be written between its parts. */
  async #snapshot(): Promise<void> {
    const { claim, engine, lease, limits } = this.#options;
    const { begin, content } = await this.#inTurn(async () => {
      const content = this.#fold.catalog(this.revision);
      await this.#append([encodeMessage({ type: "begin", sequence: this.#sequence })]);
      this.#changeBytes = 0;
      return { begin: this.#last, content };
    });
    let bytes = 0;
    let waiting: string[] = [];
    let size = 0;
    const flush = async (): Promise<void> => {
      const batch = waiting;
      waiting = [];
      size = 0;
      bytes += await this.#inTurn(() => this.#append(batch));
    };
    for (const part of snapshotParts(content, limits.partBytes)) {
      waiting.push(part);
      size += part.length;
      // Compressed, a batch is much smaller than this; it bounds what is held as text.
      if (size >= limits.batchBytes * 4) await flush();
      // A part is a millisecond or two of work; others have theirs between two.
      else await nextTurn();
    }
    if (waiting.length > 0) await flush();
    const keys = content.entries.size + content.workloads.size + content.objects.size;
    await this.#inTurn(() => this.#append([encodeMessage({ type: "end", begin, keys })]));
    this.#snapshotBytes = bytes;
    lease.assert();
    await engine.setHead({ claim, begin }, lease.over);
    this.#begin = begin;
    await engine.trim(claim, begin, lease.over);
  }

  /** Stores messages. Resolves with their size in bytes. */
  async #append(messages: readonly string[]): Promise<number> {
    const { claim, engine, lease, limits, maxFrameBytes } = this.#options;
    let bytes = 0;
    let batch: Uint8Array[] = [];
    let size = 0;
    const flush = async (): Promise<void> => {
      lease.assert();
      await engine.append(claim, this.#last, batch, lease.over);
      this.#last += batch.length;
      batch = [];
      size = 0;
    };
    for (const message of messages) {
      for (const frame of await toFrames(message, maxFrameBytes)) {
        batch.push(frame);
        size += frame.length;
        bytes += frame.length;
        if (size >= limits.batchBytes) await flush();
      }
    }
    if (batch.length > 0) await flush();
    return bytes;
  }

  /** Runs alone among the appends of this writer. */
  #inTurn<T>(act: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(act);
    this.#turn = done.catch(() => undefined);
    return done;
  }

  /** Ends the writer when `act` fails. */
  async #guarded<T>(act: () => Promise<T>): Promise<T> {
    try {
      return await act();
    } catch (cause) {
      const { lease } = this.#options;
      lease.end(cause instanceof Error ? cause : new Error("writing failed", { cause }));
      throw new FencedError(this.epoch, { cause: lease.over.reason });
    }
  }
}
