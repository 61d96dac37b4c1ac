import type { Catalog, Revision } from "@signalbox/model";
import { BusClosedError, FencedError } from "../bus.ts";
import type { BusWriter, EventBus } from "../bus.ts";
import { monotonicClock } from "../clock.ts";
import type { BusClock } from "../clock.ts";
import type { ChangeEvent } from "../event.ts";
import { Hub } from "../hub.ts";
import type { HubConsumer } from "../hub.ts";
import { tiedTo } from "./aborting.ts";
import type { TiedSignal } from "./aborting.ts";
import type { LogEngine } from "./engine.ts";
import { LogFollower } from "./follower.ts";
import type { FollowerState } from "./follower.ts";
import { LogLeader } from "./leader.ts";
import { defaultLeaseTimes } from "./lease.ts";
import type { LeaseTimes } from "./lease.ts";
import { Troubles } from "./troubles.ts";
import { defaultWriterLimits } from "./writer.ts";
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

class Bus implements LogBus {
  readonly #engine: LogEngine;
  readonly #clock: BusClock;
  readonly #logger: BusLogger | undefined;
  readonly #hub: Hub;
  readonly #leader: LogLeader;
  readonly #troubles: Troubles;
  readonly #closed = new AbortController();
  #closing: Promise<void> | undefined;
  #following: TiedSignal | undefined;
  /** Followers wait for each other here: two at once would lead consumers through each other's catalogs. */
  #followed: Promise<void> = Promise.resolve();
  #subscribers = 0;
  #state: FollowerState = "idle";
  /** The epoch that was said to be followed last. */
  #saidEpoch: string | undefined;

  constructor(engine: LogEngine, options: LogBusOptions) {
    this.#engine = engine;
    this.#clock = options.clock ?? monotonicClock;
    this.#logger = options.logger;
    this.#hub = new Hub(options.slack ?? 1024);
    this.#troubles = new Troubles(this.#clock, (error) => {
      // Who reads of a trouble wants to read when it is over.
      this.#saidEpoch = undefined;
      this.#logger?.warn("bus-engine-trouble", { error });
    });
    this.#leader = new LogLeader({
      engine,
      clock: this.#clock,
      times: { ...defaultLeaseTimes, ...options.lease },
      limits: { ...defaultWriterLimits, ...options.limits },
      onTrouble: (error) => this.#troubles.note("lease", messageOf(error)),
      onAnswer: () => this.#troubles.over("lease"),
      onLead: (epoch) => this.#logger?.info("bus-leading", { epoch }),
      onEnd: (epoch, reason) => this.#logger?.info("bus-not-leading", { epoch, reason: messageOf(reason) }),
    });
  }

  async lead(snapshot: () => Omit<Catalog, "revision">, signal: AbortSignal): Promise<BusWriter> {
    signal.throwIfAborted();
    this.#closed.signal.throwIfAborted();
    return this.#leader.lead(snapshot, signal, this.#closed.signal);
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

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  status(): LogBusStatus {
    const { consumers, revision } = this.#hub;
    const error = this.#troubles.current;
    return {
      ...(revision && { revision }),
      led: this.#leader.leads,
      consumers,
      follower: this.#state,
      ...(error !== undefined && { error }),
    };
  }

  async #close(): Promise<void> {
    this.#closed.abort(new BusClosedError());
    this.#hub.close();
    await this.#leader.close(new BusClosedError());
    await this.#unfollow();
    await this.#engine.close();
  }

  #follow(): void {
    if (this.#following !== undefined) return;
    const following = tiedTo(this.#closed.signal);
    const follower = new LogFollower({
      engine: this.#engine,
      hub: this.#hub,
      clock: this.#clock,
      onState: (state, error) => this.#reached(state, error),
    });
    this.#following = following;
    this.#followed = this.#followed.then(() => follower.run(following.signal));
  }

  async #unfollow(): Promise<void> {
    this.#following?.end();
    this.#following = undefined;
    await this.#followed;
  }

  #reached(state: FollowerState, error: unknown): void {
    this.#state = state;
    if (error !== undefined) this.#troubles.note("follower", messageOf(error));
    // Loading is no success yet: what it reads may be the same trouble again.
    else if (state !== "loading") this.#troubles.over("follower");
    const epoch = this.#hub.revision?.epoch;
    if (state !== "following" || epoch === this.#saidEpoch) return;
    this.#saidEpoch = epoch;
    this.#logger?.info("bus-following", { ...this.#hub.revision });
  }
}

function messageOf(error: unknown): string {
  if (error instanceof FencedError && error.cause !== undefined) return messageOf(error.cause);
  return error instanceof Error ? error.message : String(error);
}
