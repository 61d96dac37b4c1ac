import { connect } from "node:net";
import type { CatalogDelta, Revision } from "@signalbox/model";
import { BusClosedError } from "../bus.ts";
import type { BusWriter, EventBus } from "../bus.ts";
import { monotonicClock } from "../clock.ts";
import type { BusClock } from "../clock.ts";
import type { ChangeEvent } from "../event.ts";
import { CatalogFold, sameRevision } from "../fold.ts";
import { Hub } from "../hub.ts";
import type { HubConsumer } from "../hub.ts";
import { slept } from "../log/lease.ts";
import { SocketReader } from "./wire.ts";
import type { SocketMessage } from "./wire.ts";

/** What a socket bus shows about itself. */
export interface SocketBusStatus {
  readonly revision?: Revision;
  readonly led: false;
  readonly consumers: readonly HubConsumer[];
  /** Why the other process cannot be reached now. */
  readonly error?: string;
}

/** A bus whose writer is another process of this machine. */
export interface SocketBus extends EventBus {
  status(): SocketBusStatus;
}

/** Milliseconds until a connection that broke is made anew. */
const againMs = 100;

/** Makes the reading end of `createSocketBusServer` at `path`. It connects at once, and again whenever the connection breaks. */
export function createSocketBus(path: string, clock: BusClock = monotonicClock): SocketBus {
  return new Bus(path, clock);
}

class Bus implements SocketBus {
  readonly #path: string;
  readonly #hub = new Hub(1024);
  readonly #end = new AbortController();
  readonly #followed: Promise<void>;
  #error: string | undefined;

  constructor(path: string, clock: BusClock) {
    this.#path = path;
    this.#followed = this.#follow(clock);
  }

  lead(): Promise<BusWriter> {
    return Promise.reject(new BusClosedError());
  }

  subscribe(consumer: string, signal: AbortSignal): AsyncGenerator<ChangeEvent, void, undefined> {
    return this.#hub.subscribe(consumer, signal);
  }

  async close(): Promise<void> {
    this.#end.abort();
    this.#hub.close();
    await this.#followed;
  }

  status(): SocketBusStatus {
    const { consumers, revision } = this.#hub;
    const error = this.#error;
    return { ...(revision && { revision }), led: false, consumers, ...(error !== undefined && { error }) };
  }

  async #follow(clock: BusClock): Promise<void> {
    const { signal } = this.#end;
    while (!signal.aborted) {
      try {
        await this.#read(signal);
        this.#error = "the connection ended";
      } catch (error) {
        this.#error = error instanceof Error ? error.message : String(error);
      }
      await slept(clock, againMs, signal);
    }
  }

  async #read(signal: AbortSignal): Promise<void> {
    const socket = connect({ path: this.#path, signal });
    const reader = new SocketReader();
    const catalog = new Incoming(this.#hub);
    try {
      for await (const bytes of socket) {
        this.#error = undefined;
        for (const message of reader.take(bytes as Buffer)) catalog.take(message);
      }
    } finally {
      socket.destroy();
    }
  }
}

/** Puts a snapshot together; what consumers have stays until it is complete. */
class Incoming {
  readonly #hub: Hub;
  #snapshot: { readonly revision: Revision; readonly fold: CatalogFold } | undefined;

  constructor(hub: Hub) {
    this.#hub = hub;
  }

  take(message: SocketMessage): void {
    switch (message.type) {
      case "begin":
        this.#snapshot = { revision: message.revision, fold: new CatalogFold() };
        return;
      case "part":
        this.#snapshot?.fold.apply(message.delta);
        return;
      case "end":
        if (this.#snapshot === undefined) throw new Error("a snapshot ended that did not begin");
        this.#hub.begin(this.#snapshot.revision, this.#snapshot.fold);
        this.#snapshot = undefined;
        return;
      case "delta":
        this.#advance(message.previous, message.revision, message.delta);
    }
  }

  #advance(previous: Revision, revision: Revision, delta: CatalogDelta): void {
    const have = this.#hub.revision;
    if (have === undefined || !sameRevision(have, previous)) throw new Error("a change does not follow what is here");
    this.#hub.advance(revision, delta);
  }
}
