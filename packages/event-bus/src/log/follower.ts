import { setImmediate as nextTurn } from "node:timers/promises";
import type { BusClock } from "../clock.ts";
import { EventFormatError, EventVersionError } from "../codec.ts";
import type { Hub } from "../hub.ts";
import { tiedTo } from "./aborting.ts";
import { Assembly } from "./assembly.ts";
import { LogGoneError } from "./engine.ts";
import type { Frame, LogEngine, LogHead } from "./engine.ts";
import { FrameJoiner, textOf, unpacked } from "./frames.ts";
import type { MessageBody } from "./frames.ts";
import { slept } from "./lease.ts";
import { decodeMessage } from "./messages.ts";
import { epochOf } from "./writer.ts";

/** How far a follower is. */
export type FollowerState =
  /** Nobody subscribes. */
  | "idle"
  /** The engine has no catalog. */
  | "waiting"
  /** It reads a catalog that is not complete yet. */
  | "loading"
  /** Consumers have the catalog, and its changes as they come. */
  | "following"
  /** The engine cannot be read now, or its catalog not to the end. Consumers keep what they have. */
  | "unreachable"
  /** What the engine has is of a newer release, or no catalog. Consumers keep what they have. */
  | "unreadable";

/** What a follower works with. */
export interface FollowerOptions {
  readonly engine: LogEngine;
  readonly hub: Hub;
  readonly clock: BusClock;
  /** Told when the state changes; `error` where the engine could not be read. */
  readonly onState: (state: FollowerState, error?: unknown) => void;
}

/**
 * Milliseconds before another look: the first wait doubles up to the longest. What cannot be understood is rarely read
 * again in full, because it will hardly become better before the next head.
 */
const pauseMs = { first: 100, longest: 2000, unreadable: 10_000 } as const;

/** Where the follower is in one log. */
interface Reading {
  readonly head: LogHead;
  readonly assembly: Assembly;
  readonly joiner: FrameJoiner;
  next: number;
  /** Position of the first frame of the message that is being joined. */
  messageAt: number | undefined;
}

/** Bytes of messages that are taken in one turn of the event loop, about: reading and parsing them takes a millisecond or two. */
const turnBytes = 128 * 1024;
/** So many messages beyond the one that is taken are being decompressed by other threads. */
const unpackedAhead = 4;

/** A message and where it begins. */
interface Joined {
  readonly first: number;
  readonly body: MessageBody;
}

/** A message, ready to be read, and where it begins. */
interface Unpacked {
  readonly first: number;
  readonly bytes: Buffer;
}

/** The messages that a batch completes, and the position of its last frame. */
interface Batch {
  readonly messages: readonly Joined[];
  readonly last: number;
}

/**
 * Follows the log that counts and hands its catalog to the hub. The hub has a complete catalog of one epoch at any time:
 * what it had stays until another one is complete. Reading goes on where it was after an interruption, and starts over
 * where anything is missing.
 */
export class LogFollower {
  readonly #options: FollowerOptions;
  #reading: Reading | undefined;
  /** The claim whose catalog consumers have, and the last ones that it replaced. */
  #followed: string | undefined;
  #left: readonly string[] = [];
  #pauseMs: number = pauseMs.first;

  constructor(options: FollowerOptions) {
    this.#options = options;
  }

  /** Follows until `signal` aborts; then it has let go of everything. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    const { onState } = this.#options;
    while (!signal.aborted) {
      try {
        if (await this.#follow(signal)) continue;
        onState("waiting");
        await this.#pause(pauseMs.longest, signal);
      } catch (error) {
        if (isAborted(signal)) break;
        const unreadable = error instanceof EventVersionError || error instanceof EventFormatError;
        onState(unreadable ? "unreadable" : "unreachable", error);
        await this.#pause(unreadable ? pauseMs.unreadable : pauseMs.longest, signal);
      }
    }
    onState("idle");
  }

  async #pause(longest: number, signal: AbortSignal): Promise<void> {
    const ms = Math.min(longest, this.#pauseMs);
    this.#pauseMs = Math.min(longest, ms * 2);
    await slept(this.#options.clock, ms * (0.5 + Math.random() / 2), signal);
  }

  /** Follows one log until the head moves to another. Resolves with false where there is none. */
  async #follow(signal: AbortSignal): Promise<boolean> {
    const { engine, hub } = this.#options;
    const head = await engine.head(signal);
    if (head === undefined) return false;
    // An engine that lost its last seconds. What consumers have is newer; its writer will claim again.
    if (this.#left.includes(head.claim.nonce)) throw new LogGoneError("the engine went back to an earlier catalog");
    if (this.#reading?.head.claim.nonce !== head.claim.nonce) {
      const extent = await engine.extent(head.claim, signal);
      if (extent === undefined) throw new LogGoneError("the engine has no log where readers are sent to");
      if (extent.last < head.begin) throw new LogGoneError("the engine's log ends before where readers are sent to");
      const assembly = new Assembly(epochOf(head.claim), hub, extent.last);
      this.#reading = { head, assembly, joiner: new FrameJoiner(), next: head.begin, messageAt: undefined };
    }
    const reading = this.#reading;
    this.#told(reading);
    const stop = tiedTo(signal);
    const moved = engine.moved(head.claim, stop.signal);
    const read = this.#read(reading, stop.signal);
    try {
      await Promise.race([moved, read]);
    } catch (error) {
      // The next writer removes the old log, and the news of that may be faster than the news of its claim.
      if (!(await this.#hasMoved(head, signal))) throw error;
    } finally {
      stop.end();
      await Promise.allSettled([moved, read]);
    }
    return true;
  }

  /** Whether readers are sent to another log now; false also where that cannot be found out. */
  async #hasMoved(from: LogHead, signal: AbortSignal): Promise<boolean> {
    try {
      const head = await this.#options.engine.head(signal);
      return head !== undefined && head.claim.nonce !== from.claim.nonce;
    } catch {
      return false;
    }
  }

  async #read(reading: Reading, signal: AbortSignal): Promise<void> {
    // What is on its way must not be waited for once something is wrong with what came before it.
    const stop = tiedTo(signal);
    const batches = this.#options.engine.read(reading.head.claim, reading.next, stop.signal)[Symbol.asyncIterator]();
    // While one batch is taken, the next one is on its way.
    const next = async () => {
      const read = await batches.next();
      return read.done === true ? undefined : this.#joined(reading, read.value);
    };
    let coming = next();
    try {
      for (;;) {
        const batch = await coming;
        if (batch === undefined) return;
        if (signal.aborted) {
          // It is not certain any more where reading goes on.
          this.#reading = undefined;
          return;
        }
        coming = next();
        // A failure counts when its turn comes.
        coming.catch(() => undefined);
        await this.#take(reading, batch);
      }
    } catch (error) {
      // Where to start over is in the head.
      if (error instanceof LogGoneError) this.#reading = undefined;
      throw error;
    } finally {
      stop.end();
      await Promise.allSettled([coming, batches.return?.()]);
    }
  }

  /** Takes a batch as a whole, or lets go of all that was read: only then it is certain where reading goes on. */
  async #take(reading: Reading, { last, messages }: Batch): Promise<void> {
    try {
      let size = 0;
      for (const coming of allUnpacked(messages)) {
        const { bytes, first } = await coming;
        // A large snapshot must not keep clients waiting who are served at the same time.
        if (size > 0 && size + bytes.length > turnBytes) {
          await nextTurn();
          size = 0;
        }
        size += bytes.length;
        const message = decodeMessage(textOf(bytes));
        if (message !== undefined) reading.assembly.take(message, first);
      }
      reading.assembly.reached(last);
    } catch (error) {
      this.#reading = undefined;
      throw error;
    }
    if (!reading.assembly.shown) return;
    this.#follows(reading.head.claim.nonce);
    this.#told(reading);
    this.#pauseMs = pauseMs.first;
  }

  #follows(nonce: string): void {
    if (this.#followed === nonce) return;
    if (this.#followed !== undefined) this.#left = [this.#followed, ...this.#left].slice(0, 8);
    this.#followed = nonce;
  }

  /** The messages that are complete with these frames, or nothing is left of what was read. */
  #joined(reading: Reading, frames: readonly Frame[]): Batch {
    try {
      return joinedBatch(reading, frames);
    } catch (error) {
      this.#reading = undefined;
      throw error;
    }
  }

  #told({ assembly }: Reading): void {
    this.#options.onState(assembly.shown ? "following" : "loading");
  }
}

// A property read that the compiler does not narrow over an await.
function isAborted(signal: AbortSignal): boolean {
  return signal.aborted;
}

function joinedBatch(reading: Reading, frames: readonly Frame[]): Batch {
  const messages: Joined[] = [];
  for (const { bytes, position } of frames) {
    if (position !== reading.next)
      throw new LogGoneError(`the log goes on at ${position}, but ${reading.next} was expected`);
    reading.next++;
    reading.messageAt ??= position;
    const body = reading.joiner.add(bytes);
    if (body === undefined) continue;
    messages.push({ first: reading.messageAt, body });
    reading.messageAt = undefined;
  }
  return { messages, last: reading.next - 1 };
}

/** The messages in their order, each while the next ones are on their way. */
function* allUnpacked(messages: readonly Joined[]): Generator<Promise<Unpacked>> {
  const coming: Promise<Unpacked>[] = [];
  for (const { body, first } of messages) {
    const next = unpacked(body).then((bytes) => ({ first, bytes }));
    // A failure counts when its turn comes.
    next.catch(() => undefined);
    coming.push(next);
    if (coming.length > unpackedAhead) yield* coming.splice(0, 1);
  }
  yield* coming;
}
