import type { EventBus } from "../bus.ts";

/** One fresh bus and what the suite may know about it. */
export interface BusWorld {
  readonly bus: EventBus;
  /** Opens the same bus as another process would. Without it, `bus` serves writers and consumers alike. */
  another?(): Promise<EventBus>;
  /**
   * Takes the lead from whoever has it, as when the engine no longer hears of it, so that another one may lead at once. Without it, whoever
   * asks leads at once.
   */
  depose?(): Promise<void>;
  /** How many subscriptions are open, for the leak check. */
  subscriptions?(): number;
  /** Called after each test, when `bus` and all from `another` were closed. */
  dispose?(): Promise<void>;
}

/** What the suite needs to test one kind of bus. */
export interface EventBusSuite {
  /** Shown in the names of the tests. */
  readonly name: string;
  /** Makes a bus that holds nothing yet. */
  create(): Promise<BusWorld>;
  /** How long one event may take, in milliseconds. Default 5000. */
  readonly deadlineMs?: number;
  /** How many random histories the model-based test plays. Default 100. */
  readonly histories?: number;
}
