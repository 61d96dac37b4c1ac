import { randomUUID } from "node:crypto";
import type { Catalog, Revision } from "@signalbox/model";
import { BusClosedError, FencedError } from "../bus.ts";
import type { BusWriter, EventBus } from "../bus.ts";
import { monotonicClock } from "../clock.ts";
import type { BusClock } from "../clock.ts";
import type { ChangeEvent } from "../event.ts";
import { Hub } from "../hub.ts";
import type { HubConsumer } from "../hub.ts";
import type { LogEngine } from "./engine.ts";
import { LogFollower } from "./follower.ts";
import type { FollowerState } from "./follower.ts";
import { defaultLeaseTimes, Lease } from "./lease.ts";
import type { LeaseTimes } from "./lease.ts";
import { defaultWriterLimits, LogWriter } from "./writer.ts";
import type { WriterLimits } from "./writer.ts";

/** Where a bus says what happened: event names in kebab-case with their fields. */
export interface BusLogger {
  info(event: string, fields?: object): void;
  warn(event: string, fields?: object): void;
}

/** How a bus over an engine behaves. */
export interface LogBusOptions {
  readonly lease?: Partial<LeaseTimes>;
  readonly limits?: Partial<WriterLimits>;
  /** So many changed keys beyond the size of the catalog may wait for a consumer before it gets a snapshot. Default 1024. */
  readonly slack?: number;
  readonly clock?: BusClock;
  readonly logger?: BusLogger;
}

/** What a bus over an engine shows about itself. */
export interface LogBusStatus {
  /** The revision that this process's consumers are led to. */
  readonly revision?: Revision;
  /** Whether this process is the writer, as far as it knows. */
  readonly led: boolean;
  readonly consumers: readonly HubConsumer[];
  readonly follower: FollowerState;
  /** What the last failed attempt to use the engine said; absent while all is well. */
  readonly error?: string;
}

/** An event bus between processes. */
export interface LogBus extends EventBus {
  status(): LogBusStatus;
}

/** Makes a bus of an engine, which it closes at its end. */
export function createLogBus(engine: LogEngine, options: LogBusOptions = {}): LogBus {
  return new Bus(engine, options);
}

/** How long giving back a lease may take at the end, in milliseconds. */
const farewellMs = 1000;

class Bus implements LogBus {
  readonly #engine: LogEngine;
  readonly #clock: BusClock;
  readonly #logger: BusLogger | undefined;
  readonly #times: LeaseTimes;
  readonly #limits: WriterLimits;
  readonly #hub: Hub;
  readonly #holder = randomUUID();
  readonly #closed = new AbortController();
  #writing: { readonly lease: Lease; writer?: LogWriter } | undefined;
  #following: { readonly end: AbortController; readonly done: Promise<void> } | undefined;
  #subscribers = 0;
  #state: FollowerState = "idle";
  #error: string | undefined;
  /** One lead at a time is decided. */
  #turn: Promise<unknown> = Promise.resolve();
  #farewells = new Set<Promise<void>>();

  constructor(engine: LogEngine, options: LogBusOptions) {
    this.#engine = engine;
    this.#clock = options.clock ?? monotonicClock;
    this.#logger = options.logger;
    this.#times = { ...defaultLeaseTimes, ...options.lease };
    this.#limits = { ...defaultWriterLimits, ...options.limits };
    this.#hub = new Hub(options.slack ?? 1024);
  }

  async lead(snapshot: () => Omit<Catalog, "revision">, signal: AbortSignal): Promise<BusWriter> {
    signal.throwIfAborted();
    if (this.#closed.signal.aborted) throw new BusClosedError();
    const lead = this.#turn.then(() => this.#lead(snapshot, AbortSignal.any([signal, this.#closed.signal])));
    this.#turn = lead.catch(() => undefined);
    try {
      return await lead;
    } catch (error) {
      signal.throwIfAborted();
      this.#closed.signal.throwIfAborted();
      throw error;
    }
  }

  async *subscribe(consumer: string, signal: AbortSignal): AsyncGenerator<ChangeEvent, void, undefined> {
    if (signal.aborted || this.#closed.signal.aborted) return;
    this.#subscribers++;
    this.#follow();
    try {
      yield* this.#hub.subscribe(consumer, signal);
    } finally {
      this.#subscribers--;
      if (this.#subscribers === 0) await this.#unfollow();
    }
  }

  async close(): Promise<void> {
    if (!this.#closed.signal.aborted) this.#closed.abort(new BusClosedError());
    this.#hub.close();
    await this.#turn;
    await this.#resign(new BusClosedError());
    await Promise.all(this.#farewells);
    await this.#unfollow();
    await this.#engine.close();
  }

  status(): LogBusStatus {
    const { consumers, revision } = this.#hub;
    return {
      ...(revision && { revision }),
      led: this.#writing?.writer?.leads ?? false,
      consumers,
      follower: this.#state,
      ...(this.#error !== undefined && { error: this.#error }),
    };
  }

  async #lead(snapshot: () => Omit<Catalog, "revision">, signal: AbortSignal): Promise<BusWriter> {
    // Who leads already gives way to itself: the new epoch fences the old one.
    await this.#resign(new Error("this process leads anew"));
    const lease = await Lease.acquire(
      {
        engine: this.#engine,
        holder: this.#holder,
        times: this.#times,
        clock: this.#clock,
        onTrouble: (error) => this.#trouble(error),
      },
      signal,
    );
    const writing: { readonly lease: Lease; writer?: LogWriter } = { lease };
    this.#writing = writing;
    lease.keep(async (over) => writing.writer?.fault(over));
    const end = (): void => {
      const farewell = this.#release(writing, new Error("this process was asked to stop leading"));
      this.#farewells.add(farewell);
      void farewell.finally(() => this.#farewells.delete(farewell));
    };
    signal.addEventListener("abort", end, { once: true });
    lease.over.addEventListener("abort", () => signal.removeEventListener("abort", end), { once: true });
    try {
      const claim = await this.#engine.claim(lease.over);
      const maxFrameBytes = await this.#engine.maxFrameBytes(lease.over);
      const content = snapshot();
      const writer = new LogWriter({
        engine: this.#engine,
        lease,
        claim,
        limits: this.#limits,
        maxFrameBytes,
        content,
      });
      await writer.begin();
      writing.writer = writer;
      this.#logger?.info("bus-leading", { epoch: writer.epoch });
      lease.over.addEventListener("abort", () => this.#ended(writer, lease), { once: true });
      return writer;
    } catch (error) {
      await this.#release(writing, error instanceof Error ? error : new Error("leading failed", { cause: error }));
      throw error;
    }
  }

  async #resign(reason: Error): Promise<void> {
    const writing = this.#writing;
    this.#writing = undefined;
    if (writing !== undefined) await this.#release(writing, reason);
  }

  async #release({ lease, writer }: { readonly lease: Lease; writer?: LogWriter }, reason: Error): Promise<void> {
    await lease.release(reason, AbortSignal.timeout(farewellMs));
    await writer?.settled();
  }

  #ended(writer: LogWriter, lease: Lease): void {
    const reason: unknown = lease.over.reason;
    this.#logger?.info("bus-not-leading", { epoch: writer.epoch, reason: messageOf(reason) });
  }

  #follow(): void {
    if (this.#following !== undefined) return;
    const follower = new LogFollower({
      engine: this.#engine,
      hub: this.#hub,
      clock: this.#clock,
      onState: (state, error) => this.#reached(state, error),
    });
    const end = new AbortController();
    this.#following = { end, done: follower.run(AbortSignal.any([end.signal, this.#closed.signal])) };
  }

  async #unfollow(): Promise<void> {
    const following = this.#following;
    this.#following = undefined;
    following?.end.abort();
    await following?.done;
  }

  #reached(state: FollowerState, error: unknown): void {
    const before = this.#state;
    this.#state = state;
    if (error !== undefined) this.#trouble(error);
    else if (state === "following") this.#error = undefined;
    if (state === before) return;
    if (state === "following") this.#logger?.info("bus-following", { ...this.#hub.revision });
  }

  /** Says each different trouble once. */
  #trouble(error: unknown): void {
    const message = messageOf(error);
    if (this.#error === message) return;
    this.#error = message;
    this.#logger?.warn("bus-engine-trouble", { error: message });
  }
}

function messageOf(error: unknown): string {
  if (error instanceof FencedError && error.cause !== undefined) return messageOf(error.cause);
  return error instanceof Error ? error.message : String(error);
}
