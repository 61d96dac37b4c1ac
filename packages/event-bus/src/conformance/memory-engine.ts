import { randomUUID } from "node:crypto";
import { setImmediate as nextTurn } from "node:timers/promises";
import { monotonicClock } from "../clock.ts";
import type { BusClock } from "../clock.ts";
import { LogFencedError, LogGoneError } from "../log/engine.ts";
import type { Claim, Frame, LogEngine, LogExtent, LogHead } from "../log/engine.ts";

/** The calls of an engine. */
export type EngineCall = Exclude<keyof LogEngine, "close">;

/**
 * What may become of a call. `refused`: it rejects and nothing happened. `unanswered`: it happens and rejects. `late`: it rejects and
 * happens when `MemoryServer.arrive` is called. `hung`: nothing happens, and it rejects after two seconds.
 */
export type EngineFault = "refused" | "unanswered" | "late" | "hung";

/** Milliseconds after which a call ends that has no answer. */
const hungMs = 2000;

interface Log {
  readonly claim: Claim;
  first: number;
  readonly frames: Uint8Array[];
}

/** What all handles of one engine share. Its faults are those of a real one. */
export class MemoryServer {
  readonly clock: BusClock;
  lease: { readonly holder: string; readonly until: number } | undefined;
  claim: Claim | undefined;
  /** How many claims there were. */
  claims = 0;
  readonly logs = new Map<string, Log>();
  head: LogHead | undefined;
  /** Bytes of the largest frame. */
  maxFrameBytes = 1024;
  /** Decides the fate of each call; `engine` is the number of the handle that it comes from. */
  fault: (call: EngineCall, engine: number) => EngineFault | undefined = () => undefined;
  /** How many handles there were. */
  engines = 0;
  /** How many changes there were that somebody may wait for. */
  changes = 0;
  #down = false;
  #late: (() => unknown)[] = [];
  readonly #waiting = new Set<() => void>();

  /** The clock is that of the leases. Default: the machine's. */
  constructor(clock: BusClock = monotonicClock) {
    this.clock = clock;
  }

  /** While set, every call rejects, also those that wait. */
  get down(): boolean {
    return this.#down;
  }

  set down(down: boolean) {
    this.#down = down;
    this.wake();
  }

  /** How many calls wait for a change. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** Bytes of all frames that are stored. */
  get bytes(): number {
    return [...this.logs.values()].flatMap(({ frames }) => frames).reduce((sum, { length }) => sum + length, 0);
  }

  /** Loses all data, as an engine without a disk does when it restarts. */
  wipe(): void {
    this.lease = undefined;
    this.claim = undefined;
    this.head = undefined;
    this.logs.clear();
    this.wake();
  }

  /** Loses the last frames of the log that counts, as an engine does that did not write them to its disk in time. */
  loseTail(frames: number): void {
    const log = this.head && this.logs.get(this.head.claim.nonce);
    log?.frames.splice(Math.max(0, log.frames.length - frames));
    this.wake();
  }

  /** Lets go of everything but the last frames of the log that counts. */
  loseBeginning(frames: number): void {
    const log = this.head && this.logs.get(this.head.claim.nonce);
    if (log === undefined) return;
    log.first += log.frames.splice(0, Math.max(0, log.frames.length - frames)).length;
    this.wake();
  }

  /** Ends the lease as if its time were over. */
  depose(): void {
    this.lease = undefined;
  }

  /** Keeps a call for later. */
  delay(call: () => unknown): void {
    this.#late.push(call);
  }

  /** Lets the calls happen that are late. Resolves with how many of them still had an effect. */
  arrive(): number {
    const late = this.#late;
    this.#late = [];
    return late.filter((call) => {
      try {
        call();
        return true;
      } catch {
        return false;
      }
    }).length;
  }

  /** Wakes all that wait for a change. */
  wake(): void {
    this.changes++;
    for (const wake of this.#waiting) wake();
  }

  /** Resolves when there were more than `seen` changes, or when the signal aborts. */
  async changed(seen: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted || this.changes > seen) return;
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
  readonly #number: number;
  closed = false;

  constructor(server: MemoryServer) {
    this.#server = server;
    this.#number = server.engines++;
  }

  maxFrameBytes(signal: AbortSignal): Promise<number> {
    return this.#call("maxFrameBytes", signal, () => this.#server.maxFrameBytes);
  }

  acquire(holder: string, ttlMs: number, signal: AbortSignal): Promise<boolean> {
    return this.#call("acquire", signal, () => {
      const { clock, lease } = this.#server;
      if (lease !== undefined && lease.until > clock.now() && lease.holder !== holder) return false;
      this.#server.lease = { holder, until: clock.now() + ttlMs };
      return true;
    });
  }

  renew(holder: string, ttlMs: number, signal: AbortSignal): Promise<boolean> {
    return this.#call("renew", signal, () => {
      const { clock, lease } = this.#server;
      if (lease?.holder !== holder || lease.until <= clock.now()) return false;
      this.#server.lease = { holder, until: clock.now() + ttlMs };
      return true;
    });
  }

  release(holder: string, signal: AbortSignal): Promise<void> {
    return this.#call("release", signal, () => {
      if (this.#server.lease?.holder === holder) this.#server.lease = undefined;
    });
  }

  claim(signal: AbortSignal): Promise<Claim> {
    return this.#call("claim", signal, () => {
      const claim: Claim = { number: ++this.#server.claims, nonce: randomUUID() };
      this.#server.claim = claim;
      this.#server.logs.set(claim.nonce, { claim, first: 1, frames: [] });
      return claim;
    });
  }

  append(claim: Claim, after: number, frames: readonly Uint8Array[], signal: AbortSignal): Promise<void> {
    return this.#call("append", signal, () => {
      const log = this.#fenced(claim);
      if (log.first + log.frames.length - 1 !== after) throw new LogFencedError("the log does not end there");
      log.frames.push(...frames.map((frame) => Uint8Array.from(frame)));
      this.#server.wake();
    });
  }

  setHead(head: LogHead, signal: AbortSignal): Promise<void> {
    return this.#call("setHead", signal, () => {
      this.#fenced(head.claim);
      this.#server.head = head;
      this.#server.wake();
    });
  }

  trim(claim: Claim, position: number, signal: AbortSignal): Promise<void> {
    return this.#call("trim", signal, () => {
      const log = this.#fenced(claim);
      log.first += log.frames.splice(0, Math.max(0, position - log.first)).length;
    });
  }

  removeEarlier(claim: Claim, signal: AbortSignal): Promise<void> {
    return this.#call("removeEarlier", signal, () => {
      const { logs } = this.#server;
      for (const [nonce, log] of logs) if (log.claim.number < claim.number) logs.delete(nonce);
      this.#server.wake();
    });
  }

  extent(claim: Claim, signal: AbortSignal): Promise<LogExtent | undefined> {
    return this.#call("extent", signal, () => {
      const log = this.#server.logs.get(claim.nonce);
      return log && { first: log.first, last: log.first + log.frames.length - 1 };
    });
  }

  head(signal: AbortSignal): Promise<LogHead | undefined> {
    return this.#call("head", signal, () => this.#server.head);
  }

  async moved(claim: Claim, signal: AbortSignal): Promise<void> {
    for (;;) {
      const seen = this.#server.changes;
      const head = await this.#call("moved", signal, () => this.#server.head);
      if (head !== undefined && head.claim.nonce !== claim.nonce) return;
      await this.#server.changed(seen, signal);
    }
  }

  async *read(claim: Claim, from: number, signal: AbortSignal): AsyncGenerator<readonly Frame[]> {
    let next = from;
    for (;;) {
      const seen = this.#server.changes;
      const frames = await this.#call("read", signal, () => {
        const log = this.#server.logs.get(claim.nonce);
        if (log === undefined) throw new LogGoneError("there is no such log");
        const start = Math.max(next, log.first);
        const bytes = log.frames.slice(start - log.first, start - log.first + 50);
        return bytes.map((one, index) => ({ position: start + index, bytes: one }));
      });
      const last = frames.at(-1);
      if (last === undefined) {
        await this.#server.changed(seen, signal);
        continue;
      }
      next = last.position + 1;
      yield frames;
    }
  }

  async close(): Promise<void> {
    this.closed = true;
    return Promise.resolve();
  }

  #fenced(claim: Claim): Log {
    if (this.#server.claim?.nonce !== claim.nonce) throw new LogFencedError("there is a later claim");
    const log = this.#server.logs.get(claim.nonce);
    if (log === undefined) throw new LogFencedError("the log is gone");
    return log;
  }

  async #call<T>(call: EngineCall, signal: AbortSignal, act: () => T): Promise<T> {
    if (this.closed) throw new Error(`${call} on an engine that was closed`);
    // A turn of the event loop each way, as over a network.
    await nextTurn(undefined, { signal });
    if (this.#server.down) throw new Error("the engine is down");
    const fault = this.#server.fault(call, this.#number);
    if (fault === "hung") await this.#server.clock.sleep(hungMs, signal);
    if (fault === "late") this.#server.delay(act);
    if (fault === "late" || fault === "refused" || fault === "hung") throw new Error(`${call}: no answer`);
    const result = act();
    await nextTurn(undefined, { signal });
    if (fault === "unanswered") throw new Error(`${call}: no answer`);
    return result;
  }
}
