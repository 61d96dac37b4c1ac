import { setImmediate as nextTurn } from "node:timers/promises";
import type { BusClock } from "../clock.ts";
import { EventFormatError, EventVersionError } from "../codec.ts";
import { GapError } from "../fold.ts";
import type { Hub } from "../hub.ts";
import { Assembly } from "./assembly.ts";
import { LogGoneError } from "./engine.ts";
import type { Frame, LogEngine, LogHead } from "./engine.ts";
import { FrameJoiner } from "./frames.ts";
import { slept } from "./lease.ts";
import { decodeMessage } from "./messages.ts";
import { epochOf } from "./writer.ts";

/** How far a follower is. */
export type FollowerState =
  /** Nobody subscribes. */
  | "idle"
  /** It has not found a catalog yet. */
  | "waiting"
  /** It reads a catalog that is not complete yet. */
  | "loading"
  /** Consumers have the catalog, and its changes as they come. */
  | "following"
  /** The engine cannot be read now. Consumers keep what they have. */
  | "unreachable";

/** What a follower works with. */
export interface FollowerOptions {
  readonly engine: LogEngine;
  readonly hub: Hub;
  readonly clock: BusClock;
  /** Told when the state changes; `error` where the engine could not be read. */
  readonly onState: (state: FollowerState, error?: unknown) => void;
}

/**
 * Milliseconds between two looks for a first catalog, and between attempts to reach the engine. What cannot be understood is not read again
 * and again in full: it will hardly become better before the next head.
 */
const pauseMs = { first: 100, unreachable: 2000, unreadable: 30_000 } as const;

/** Where the follower is in one log. */
interface Reading {
  readonly head: LogHead;
  readonly assembly: Assembly;
  readonly joiner: FrameJoiner;
  next: number;
  /** Position of the first frame of the message that is being joined. */
  messageAt: number | undefined;
}

/**
 * Follows the log that counts and hands its catalog to the hub. The hub has a complete catalog of one epoch at any time:
 * what it had stays until another one is complete. Reading goes on where it was after an interruption, and starts over
 * where anything is missing.
 */
export class LogFollower {
  readonly #options: FollowerOptions;
  #reading: Reading | undefined;
  #pauseMs: number = pauseMs.first;

  constructor(options: FollowerOptions) {
    this.#options = options;
  }

  /** Follows until `signal` aborts; then it has let go of everything. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, onState } = this.#options;
    while (!signal.aborted) {
      let longest: number = pauseMs.unreachable;
      try {
        if (await this.#follow(signal)) continue;
        onState("waiting");
      } catch (error) {
        if (isAborted(signal)) break;
        if (error instanceof EventVersionError || error instanceof EventFormatError) longest = pauseMs.unreadable;
        onState("unreachable", error);
      }
      const random = 0.5 + Math.random() / 2;
      await slept(clock, this.#pauseMs * random, signal);
      this.#pauseMs = Math.min(longest, this.#pauseMs * 2);
    }
    onState("idle");
  }

  /** Follows one log until the head moves to another. Resolves with false where there is none. */
  async #follow(signal: AbortSignal): Promise<boolean> {
    const { engine, hub } = this.#options;
    const head = await engine.head(signal);
    if (head === undefined) return false;
    if (this.#reading?.head.claim.nonce !== head.claim.nonce) {
      const extent = await engine.extent(head.claim, signal);
      if (extent === undefined) throw new LogGoneError("the engine has no log where readers are sent to");
      const assembly = new Assembly(epochOf(head.claim), hub, extent.last);
      this.#reading = { head, assembly, joiner: new FrameJoiner(), next: head.begin, messageAt: undefined };
    }
    const reading = this.#reading;
    this.#told(reading);
    const end = new AbortController();
    const stop = AbortSignal.any([signal, end.signal]);
    const moved = engine.moved(head.claim, stop);
    const read = this.#read(reading, stop);
    try {
      await Promise.race([moved, read]);
    } finally {
      end.abort();
      await Promise.allSettled([moved, read]);
    }
    return true;
  }

  async #read(reading: Reading, signal: AbortSignal): Promise<void> {
    const { engine } = this.#options;
    try {
      for await (const frames of engine.read(reading.head.claim, reading.next, signal)) {
        if (signal.aborted) return;
        await this.#take(reading, frames);
        if (reading.assembly.shown) this.#pauseMs = pauseMs.first;
      }
    } catch (error) {
      // Where to start over is in the head.
      if (cannotGoOn(error)) this.#reading = undefined;
      throw error;
    }
  }

  async #take(reading: Reading, frames: readonly Frame[]): Promise<void> {
    const messages: { readonly first: number; readonly last: number; readonly text: Promise<string> }[] = [];
    for (const { bytes, position } of frames) {
      if (position !== reading.next)
        throw new LogGoneError(`the log goes on at ${position}, but ${reading.next} was expected`);
      reading.next++;
      reading.messageAt ??= position;
      const text = reading.joiner.add(bytes);
      if (text === undefined) continue;
      // All of a batch are decompressed at once. A failure counts when its turn comes.
      text.catch(() => undefined);
      messages.push({ first: reading.messageAt, last: position, text });
      reading.messageAt = undefined;
    }
    for (const { first, last, text } of messages) {
      const message = decodeMessage(await text);
      if (message === undefined) continue;
      const before = reading.assembly.shown;
      reading.assembly.take(message, first, last);
      if (reading.assembly.shown !== before) this.#told(reading);
      // A large snapshot must not keep clients waiting who are served at the same time.
      if (message.type === "part") await nextTurn();
    }
  }

  #told({ assembly }: Reading): void {
    this.#options.onState(assembly.shown ? "following" : "loading");
  }
}

/** Whether reading must start over: a reader that fell behind, a log that was replaced, a message that nobody understands. */
function cannotGoOn(error: unknown): boolean {
  return [EventFormatError, EventVersionError, GapError, LogGoneError].some((kind) => error instanceof kind);
}

// A property read that the compiler does not narrow over an await.
function isAborted(signal: AbortSignal): boolean {
  return signal.aborted;
}
