import { randomUUID } from "node:crypto";
import type { BusClock } from "../clock.ts";
import { LogFencedError, LogGoneError } from "../log/engine.ts";
import type { Claim, Frame, LogEngine, LogExtent, LogHead } from "../log/engine.ts";
import { RedisConnection, RedisError } from "./connection.ts";
import type { RedisArgument } from "./connection.ts";
import { idAt, numbersOf, redisKeys } from "./keys.ts";
import type { RedisKeys } from "./keys.ts";
import type { RedisTarget } from "./options.ts";
import { arrayOf, entriesOf, infoField, readEntriesOf, textOf } from "./replies.ts";
import type { ScriptName } from "./scripts.ts";

/** What the engine works with. */
export interface RedisEngineOptions {
  readonly target: RedisTarget;
  /** Name of the catalog. */
  readonly name: string;
  readonly clock: BusClock;
  readonly callMs: number;
  readonly maxFrameBytes: number;
}

/** How long a reading command waits on the server, in milliseconds. Then somebody looks whether what it waits for can still come. */
const blockMs = 1000;
/** One answer has about so many bytes: all readers may load at once, and the server holds an answer for each. */
const readBytes = 1024 * 1024;
/** Frames of one answer. The most, where frames of the largest size follow small ones, are 16 MiB. */
const readFrames = { least: 8, most: 64 } as const;
/** Bytes and frames of one call at most: a script holds up the whole server. */
const appendLimits = { bytes: 1024 * 1024, frames: 1000 } as const;
/** Milliseconds between two attempts of one append. */
const againMs = 50;
const lastPosition = "18446744073709551615";

/** A log engine over one Redis server, or over the primary of several. */
export class RedisEngine implements LogEngine {
  readonly #options: RedisEngineOptions;
  readonly #keys: RedisKeys;
  /** For all calls that end at once. */
  readonly #shared: RedisConnection;
  /** For those that wait on the server: one for each. */
  readonly #waiting = new Set<RedisConnection>();
  #closed = false;

  constructor(options: RedisEngineOptions) {
    this.#options = options;
    this.#keys = redisKeys(options.name);
    this.#shared = this.#connection("calls");
  }

  maxFrameBytes(): Promise<number> {
    return Promise.resolve(this.#options.maxFrameBytes);
  }

  async acquire(holder: string, ttlMs: number, signal: AbortSignal): Promise<boolean> {
    return (await this.#script("acquire", [this.#keys.lease], [holder, Math.ceil(ttlMs)], signal)) === 1;
  }

  async renew(holder: string, ttlMs: number, signal: AbortSignal): Promise<boolean> {
    return (await this.#script("renew", [this.#keys.lease], [holder, Math.ceil(ttlMs)], signal)) === 1;
  }

  async release(holder: string, signal: AbortSignal): Promise<void> {
    await this.#script("release", [this.#keys.lease], [holder], signal);
  }

  async claim(signal: AbortSignal): Promise<Claim> {
    const nonce = randomUUID();
    const { claim, head, logs } = this.#keys;
    const number = await this.#script("claim", [claim, head, logs, this.#keys.log(nonce)], [nonce], signal);
    return { number: Number(textOf(number, "number")), nonce };
  }

  async append(claim: Claim, after: number, frames: readonly Uint8Array[], signal: AbortSignal): Promise<void> {
    let position = after;
    for (const batch of batches(frames)) {
      await this.#append(claim, position, batch, signal);
      position += batch.length;
    }
  }

  async setHead({ begin, claim }: LogHead, signal: AbortSignal): Promise<void> {
    await this.#write("setHead", [this.#keys.claim, this.#keys.head], [claim.number, claim.nonce, begin], signal);
  }

  async trim(claim: Claim, position: number, signal: AbortSignal): Promise<void> {
    const keys = [this.#keys.claim, this.#keys.log(claim.nonce)];
    await this.#write("trim", keys, [claim.number, claim.nonce, position], signal);
  }

  async removeEarlier(claim: Claim, signal: AbortSignal): Promise<void> {
    const { claim: latest, logs } = this.#keys;
    const reply = await this.#command(signal, "ZRANGEBYSCORE", logs, "-inf", `(${claim.number}`);
    const nonces = arrayOf(reply, "list of logs").map((nonce) => textOf(nonce, "nonce"));
    if (nonces.length === 0) return;
    const keys = [latest, logs, ...nonces.map((nonce) => this.#keys.log(nonce))];
    await this.#write("removeLogs", keys, [claim.number, claim.nonce, ...nonces], signal);
  }

  async extent(claim: Claim, signal: AbortSignal): Promise<LogExtent | undefined> {
    const key = this.#keys.log(claim.nonce);
    const info = await this.#shared.call(async (client) => {
      try {
        return await client.command("XINFO", "STREAM", key);
      } catch (error) {
        if (error instanceof Error && /no such key/u.test(error.message)) return undefined;
        throw error;
      }
    }, signal);
    if (info === undefined) return undefined;
    const [number, last] = numbersOf(textOf(infoField(info, "last-generated-id"), "id"));
    if (number !== claim.number) return undefined;
    const entry = infoField(info, "first-entry");
    const first = entry === null ? last + 1 : numbersOf(textOf(arrayOf(entry, "entry")[0], "id"))[1];
    return { first, last };
  }

  async head(signal: AbortSignal): Promise<LogHead | undefined> {
    const reply = await this.#command(signal, "XREVRANGE", this.#keys.head, "+", "-", "COUNT", 1);
    const [entry] = entriesOf(reply);
    if (entry === undefined) return undefined;
    const [number, begin] = numbersOf(entry.id);
    return { claim: { number, nonce: textOf(entry.value, "nonce") }, begin };
  }

  async moved(claim: Claim, signal: AbortSignal): Promise<void> {
    const behind = `${claim.number}-${lastPosition}`;
    await this.#waitingFor("head", async (connection) => {
      for (;;) {
        // The poll: it also finds a head that a server without its data counts lower, and a server that hangs.
        const head = await this.head(signal);
        if (head !== undefined && head.claim.nonce !== claim.nonce) return;
        const news = await this.#read(connection, this.#keys.head, behind, 1, signal);
        if (news.length > 0) return;
      }
    });
  }

  async *read(claim: Claim, from: number, signal: AbortSignal): AsyncGenerator<readonly Frame[], void, undefined> {
    const key = this.#keys.log(claim.nonce);
    const connection = this.#connection("log");
    this.#waiting.add(connection);
    try {
      let count: number = readFrames.least;
      for (let next = from; ;) {
        const entries = await this.#read(connection, key, idAt(claim, next - 1), count, signal);
        if (entries.length === 0) {
          await this.#mustReach(claim, next - 1, signal);
          continue;
        }
        const frames = entries.map(({ id, value }) => ({ position: numbersOf(id)[1], bytes: value }));
        next = (frames.at(-1)?.position ?? next) + 1;
        const bytes = frames.reduce((sum, frame) => sum + frame.bytes.length, 0);
        const fitting = Math.round((readBytes * frames.length) / Math.max(1, bytes));
        count = Math.min(readFrames.most, Math.max(readFrames.least, fitting));
        yield frames;
      }
    } finally {
      this.#waiting.delete(connection);
      await connection.close();
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([this.#shared, ...this.#waiting].map((connection) => connection.close()));
  }

  async #append(claim: Claim, after: number, frames: readonly Uint8Array[], signal: AbortSignal): Promise<void> {
    const { callMs, clock } = this.#options;
    const keys = [this.#keys.claim, this.#keys.log(claim.nonce)];
    const args = [claim.number, claim.nonce, after, randomUUID(), ...frames];
    const until = clock.now() + callMs;
    for (;;) {
      try {
        await this.#write("append", keys, args, signal);
        return;
      } catch (error) {
        // The server forgets nothing by a broken connection, and knows the append by its id.
        const again = error instanceof RedisError && (error.reply === undefined || error.reply === "LOADING");
        if (!again || clock.now() + againMs >= until) throw error;
        await clock.sleep(againMs, signal);
      }
    }
  }

  /** A silent log is either quiet or not what was read: XREAD tells of neither loss nor removal. */
  async #mustReach(claim: Claim, position: number, signal: AbortSignal): Promise<void> {
    const extent = await this.extent(claim, signal);
    if (extent === undefined) throw new LogGoneError("the server no longer has the log");
    if (extent.last < position)
      throw new LogGoneError(`the server's log ends at ${extent.last}, before ${position}, which was read already`);
  }

  async #read(connection: RedisConnection, key: string, behind: string, count: number, signal: AbortSignal) {
    const words = ["COUNT", count, "BLOCK", blockMs, "STREAMS", key, behind];
    return readEntriesOf(await connection.call((client) => client.command("XREAD", ...words), signal, blockMs));
  }

  /** Runs a script that answers OK, or why the claim may not write. */
  async #write(
    name: ScriptName,
    keys: readonly string[],
    args: readonly RedisArgument[],
    signal: AbortSignal,
  ): Promise<void> {
    const answer = textOf(await this.#script(name, keys, args, signal), "text");
    if (answer !== "OK") throw new LogFencedError(answer);
  }

  #script(name: ScriptName, keys: readonly string[], args: readonly RedisArgument[], signal: AbortSignal) {
    return this.#shared.call((client) => client.script(name, keys, args), signal);
  }

  #command(signal: AbortSignal, name: string, ...args: readonly RedisArgument[]) {
    return this.#shared.call((client) => client.command(name, ...args), signal);
  }

  async #waitingFor<T>(what: string, act: (connection: RedisConnection) => Promise<T>): Promise<T> {
    const connection = this.#connection(what);
    this.#waiting.add(connection);
    try {
      return await act(connection);
    } finally {
      this.#waiting.delete(connection);
      await connection.close();
    }
  }

  #connection(what: string): RedisConnection {
    const { callMs, clock, name, target } = this.#options;
    if (this.#closed) throw new RedisError(target.where, "the connection was closed");
    return new RedisConnection({ target, name: `signalbox:${name}:${what}`, clock, callMs });
  }
}

function* batches(frames: readonly Uint8Array[]): Generator<readonly Uint8Array[]> {
  let batch: Uint8Array[] = [];
  let bytes = 0;
  for (const frame of frames) {
    if (batch.length >= appendLimits.frames || (batch.length > 0 && bytes + frame.length > appendLimits.bytes)) {
      yield batch;
      batch = [];
      bytes = 0;
    }
    batch.push(frame);
    bytes += frame.length;
  }
  if (batch.length > 0) yield batch;
}
