import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { LogFencedError, LogGoneError } from "../log/engine.ts";
import type { Claim, Frame, LogEngine, LogExtent, LogHead } from "../log/engine.ts";

interface Log {
  readonly claim: Claim;
  first: number;
  readonly frames: Uint8Array[];
}

/** What all handles of one engine share. Its faults are those of a real one. */
export class MemoryServer {
  lease: { readonly holder: string; readonly until: number } | undefined;
  claim: Claim | undefined;
  /** How many claims there were. */
  claims = 0;
  readonly logs = new Map<string, Log>();
  head: LogHead | undefined;
  /** While set, every call rejects. */
  down = false;
  /** Bytes of the largest frame. */
  maxFrameBytes = 1024;
  readonly #waiting = new Set<() => void>();

  /** Loses all data, as an engine without a disk does when it restarts. */
  wipe(): void {
    this.lease = undefined;
    this.claim = undefined;
    this.head = undefined;
    this.logs.clear();
    this.wake();
  }

  /** Ends the lease as if its time were over. */
  depose(): void {
    this.lease = undefined;
  }

  wake(): void {
    for (const wake of this.#waiting) wake();
  }

  /** Resolves at the next change, or when the signal aborts. */
  async changed(signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    await new Promise<void>((resolve) => {
      const wake = (): void => {
        this.#waiting.delete(wake);
        signal.removeEventListener("abort", wake);
        resolve();
      };
      this.#waiting.add(wake);
      signal.addEventListener("abort", wake, { once: true });
    });
  }
}

/** One process's handle of an engine in memory. */
export class MemoryEngine implements LogEngine {
  readonly #server: MemoryServer;

  constructor(server: MemoryServer) {
    this.#server = server;
  }

  async maxFrameBytes(signal: AbortSignal): Promise<number> {
    await this.#reach(signal);
    return this.#server.maxFrameBytes;
  }

  async acquire(holder: string, ttlMs: number, signal: AbortSignal): Promise<boolean> {
    await this.#reach(signal);
    const { lease } = this.#server;
    if (lease !== undefined && lease.until > performance.now() && lease.holder !== holder) return false;
    this.#server.lease = { holder, until: performance.now() + ttlMs };
    return true;
  }

  async renew(holder: string, ttlMs: number, signal: AbortSignal): Promise<boolean> {
    await this.#reach(signal);
    if (this.#server.lease?.holder !== holder) return false;
    this.#server.lease = { holder, until: performance.now() + ttlMs };
    return true;
  }

  async release(holder: string, signal: AbortSignal): Promise<void> {
    await this.#reach(signal);
    if (this.#server.lease?.holder === holder) this.#server.lease = undefined;
  }

  async claim(signal: AbortSignal): Promise<Claim> {
    await this.#reach(signal);
    const claim: Claim = { number: ++this.#server.claims, nonce: randomUUID() };
    this.#server.claim = claim;
    this.#server.logs.set(claim.nonce, { claim, first: 1, frames: [] });
    return claim;
  }

  async append(claim: Claim, after: number, frames: readonly Uint8Array[], signal: AbortSignal): Promise<void> {
    await this.#reach(signal);
    const log = this.#fenced(claim);
    if (log.first + log.frames.length - 1 !== after) throw new LogFencedError("the log does not end there");
    log.frames.push(...frames.map((frame) => Uint8Array.from(frame)));
    this.#server.wake();
  }

  async setHead(head: LogHead, signal: AbortSignal): Promise<void> {
    await this.#reach(signal);
    this.#fenced(head.claim);
    this.#server.head = head;
    this.#server.wake();
  }

  async trim(claim: Claim, position: number, signal: AbortSignal): Promise<void> {
    await this.#reach(signal);
    const log = this.#fenced(claim);
    log.frames.splice(0, position - log.first);
    log.first = position;
  }

  async removeEarlier(claim: Claim, signal: AbortSignal): Promise<void> {
    await this.#reach(signal);
    for (const [nonce, log] of this.#server.logs) if (log.claim.number < claim.number) this.#server.logs.delete(nonce);
    this.#server.wake();
  }

  async extent(claim: Claim, signal: AbortSignal): Promise<LogExtent | undefined> {
    await this.#reach(signal);
    const log = this.#server.logs.get(claim.nonce);
    return log && { first: log.first, last: log.first + log.frames.length - 1 };
  }

  async head(signal: AbortSignal): Promise<LogHead | undefined> {
    await this.#reach(signal);
    return this.#server.head;
  }

  async moved(claim: Claim, signal: AbortSignal): Promise<void> {
    for (;;) {
      await this.#reach(signal);
      const { head } = this.#server;
      if (head !== undefined && head.claim.nonce !== claim.nonce) return;
      await this.#server.changed(signal);
    }
  }

  async *read(claim: Claim, from: number, signal: AbortSignal): AsyncGenerator<readonly Frame[]> {
    let next = from;
    for (;;) {
      await this.#reach(signal);
      const log = this.#server.logs.get(claim.nonce);
      if (log === undefined) throw new LogGoneError("there is no such log");
      const start = Math.max(next, log.first);
      const bytes = log.frames.slice(start - log.first, start - log.first + 50);
      if (bytes.length === 0) {
        await this.#server.changed(signal);
        continue;
      }
      next = start + bytes.length;
      yield bytes.map((one, index) => ({ position: start + index, bytes: one }));
    }
  }

  async close(): Promise<void> {
    return Promise.resolve();
  }

  #fenced(claim: Claim): Log {
    if (this.#server.claim?.nonce !== claim.nonce) throw new LogFencedError("there is a later claim");
    const log = this.#server.logs.get(claim.nonce);
    if (log === undefined) throw new LogFencedError("the log is gone");
    return log;
  }

  async #reach(signal: AbortSignal): Promise<void> {
    // A turn of the event loop, as any call over a network takes.
    await delay(0, undefined, { signal });
    if (this.#server.down) throw new Error("the engine is down");
  }
}
