import { randomUUID } from "node:crypto";
import type { StreamConfig } from "@nats-io/jetstream";
import { monotonicClock, wallClock } from "../clock.ts";
import type { BusClock } from "../clock.ts";
import { LogFencedError } from "../log/engine.ts";
import type { Claim, Frame, LogEngine, LogExtent, LogHead } from "../log/engine.ts";
import { abortable } from "./abortable.ts";
import { appendFrames } from "./appending.ts";
import { NatsConnector } from "./connection.ts";
import type { Session } from "./connection.ts";
import { Control } from "./control.ts";
import { isFencing, isNotFound } from "./errors.ts";
import { LeaseRecord } from "./lease-record.ts";
import { CatalogNames } from "./names.ts";
import type { NatsBusOptions } from "./options.ts";
import { readFrames } from "./reading.ts";
import { ensureStream, logStream, recordStream } from "./streams.ts";

/** The largest frame, in bytes, whatever the server would take: a reader holds 64 of them. */
const maxFrameBytes = 512 * 1024;
/** Room in the server's `max_payload` for the headers of a frame. */
const headerBytes = 1024;
/** How often the head is looked at although nobody said that it moved, in milliseconds. */
const pollMs = 1000;
/** So many processes may claim at once before one gives up. */
const claimAttempts = 5;

/**
 * A log engine over NATS JetStream. Each claim has a stream of its own, whose name is never used twice; the streams of
 * earlier claims are sealed before a claim counts, which is what fences their writers.
 */
export class NatsEngine implements LogEngine {
  readonly #options: NatsBusOptions;
  readonly #clock: BusClock;
  readonly #wallClock: () => number;
  readonly #names: CatalogNames;
  readonly #connector: NatsConnector;
  readonly #control: Control;
  readonly #lease: LeaseRecord;
  readonly #replicas: 1 | 3;

  /** Throws a NatsOptionsError. Connects when the first call needs it. */
  constructor(options: NatsBusOptions) {
    this.#options = options;
    this.#clock = options.clock ?? monotonicClock;
    this.#wallClock = options.wallClock ?? wallClock;
    this.#names = new CatalogNames(options.catalog);
    this.#connector = new NatsConnector(options);
    this.#control = new Control(this.#connector, this.#names.control);
    this.#replicas = options.replicas ?? 1;
    this.#lease = new LeaseRecord(this.#connector, this.#names.lease, this.#replicas);
  }

  async maxFrameBytes(signal: AbortSignal): Promise<number> {
    const { connection } = await this.#connector.session(signal);
    return Math.min(maxFrameBytes, (connection.info?.max_payload ?? maxFrameBytes) - headerBytes);
  }

  acquire(holder: string, ttlMs: number, signal: AbortSignal): Promise<boolean> {
    return this.#lease.acquire(holder, ttlMs, signal);
  }

  renew(holder: string, _ttlMs: number, signal: AbortSignal): Promise<boolean> {
    // The stream forgets after the time that it was given when the lease was acquired.
    return this.#lease.renew(holder, signal);
  }

  release(holder: string, signal: AbortSignal): Promise<void> {
    return this.#lease.release(holder, signal);
  }

  async claim(signal: AbortSignal): Promise<Claim> {
    return this.#connector.use(signal, async (session) => {
      await ensureStream(session, recordStream(this.#names.control, this.#replicas));
      for (let attempt = 0; attempt < claimAttempts; attempt++) {
        const claim = await this.#tryClaim(session, signal);
        if (claim === undefined) continue;
        // Whoever made a log before this claim finds it sealed; whoever makes one later fails to claim with it.
        for (const other of await this.#logs(session)) {
          if (other.nonce === claim.nonce) continue;
          if (other.number > claim.number) throw new LogFencedError("there is a later claim");
          signal.throwIfAborted();
          await this.#seal(session, other);
        }
        return claim;
      }
      throw new LogFencedError("other processes claim all the time");
    });
  }

  append(claim: Claim, after: number, frames: readonly Uint8Array[], signal: AbortSignal): Promise<void> {
    return appendFrames(this.#connector, this.#clock, this.#names.log(claim), after, frames, signal);
  }

  setHead(head: LogHead, signal: AbortSignal): Promise<void> {
    return this.#control.setHead(head, signal);
  }

  async trim(claim: Claim, position: number, signal: AbortSignal): Promise<void> {
    // The server takes "before the first one" for "all".
    if (position <= 1) return;
    const { stream } = this.#names.log(claim);
    await this.#connector.use(signal, async ({ manager }) => {
      try {
        await manager.streams.purge(stream, { seq: position });
      } catch (error) {
        if (isFencing(error)) throw new LogFencedError("the log cannot be trimmed", { cause: error });
        throw error;
      }
    });
  }

  async removeEarlier(claim: Claim, signal: AbortSignal): Promise<void> {
    await this.#connector.use(signal, async (session) => {
      for (const other of await this.#logs(session)) {
        signal.throwIfAborted();
        if (other.nonce !== claim.nonce && other.number <= claim.number) await this.#remove(session, other);
      }
    });
  }

  async extent(claim: Claim, signal: AbortSignal): Promise<LogExtent | undefined> {
    const { stream } = this.#names.log(claim);
    return this.#connector.use(signal, async ({ manager }) => {
      try {
        const { first_seq: first, last_seq: last, messages } = (await manager.streams.info(stream)).state;
        return { first: messages === 0 ? last + 1 : first, last };
      } catch (error) {
        if (isNotFound(error)) return undefined;
        throw error;
      }
    });
  }

  async head(signal: AbortSignal): Promise<LogHead | undefined> {
    return (await this.#control.read(signal))?.head;
  }

  async moved(claim: Claim, signal: AbortSignal): Promise<void> {
    const session = await this.#connector.session(signal);
    let wake = (): void => {};
    let changed = new Promise<void>((resolve) => (wake = resolve));
    let poll: Promise<void> | undefined;
    const callback = (): void => wake();
    const subscription = session.connection.subscribe(this.#names.control.subject, { callback });
    try {
      for (;;) {
        const head = await this.head(signal);
        if (head !== undefined && head.claim.nonce !== claim.nonce) return;
        // News do not begin the wait anew: there is one at a time.
        poll ??= this.#clock.sleep(pollMs, signal).finally(() => (poll = undefined));
        await abortable(Promise.race([changed, poll]), signal, session.lost);
        changed = new Promise<void>((resolve) => (wake = resolve));
      }
    } finally {
      subscription.unsubscribe();
    }
  }

  read(claim: Claim, from: number, signal: AbortSignal): AsyncIterable<readonly Frame[]> {
    return readFrames(this.#connector, this.#names.log(claim), from, signal);
  }

  close(): Promise<void> {
    return this.#connector.close();
  }

  /** Makes a log and a claim on it. Undefined where another process claimed at the same time. */
  async #tryClaim(session: Session, signal: AbortSignal): Promise<Claim | undefined> {
    const { record, sequence } = await this.#control.latest(session);
    signal.throwIfAborted();
    const numbers = (await this.#logs(session)).map(({ number }) => number);
    const number = Math.max(record?.claim.number ?? 0, ...numbers, Math.floor(this.#wallClock()) - 1) + 1;
    const claim = { number, nonce: randomUUID() };
    await session.manager.streams.add(logStream(this.#names.log(claim), this.#replicas, this.#options.maxLogBytes));
    // Who was told to stop meanwhile must not shut out whoever leads by now.
    signal.throwIfAborted();
    if (await this.#control.claim(session, claim, sequence, record?.head)) return claim;
    await this.#remove(session, claim);
    return undefined;
  }

  async #logs({ manager }: Session): Promise<readonly Claim[]> {
    const claims: Claim[] = [];
    for await (const name of manager.streams.names(this.#names.logs)) {
      const claim = this.#names.claimOf(name);
      if (claim !== undefined) claims.push(claim);
    }
    return claims;
  }

  async #seal({ manager }: Session, claim: Claim): Promise<void> {
    const { stream } = this.#names.log(claim);
    try {
      const { config } = await manager.streams.info(stream);
      const sealed: Partial<StreamConfig> = { sealed: true };
      if (!config.sealed) await manager.streams.update(stream, sealed);
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
  }

  async #remove({ manager }: Session, claim: Claim): Promise<void> {
    try {
      await manager.streams.delete(this.#names.log(claim).stream);
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
  }
}
