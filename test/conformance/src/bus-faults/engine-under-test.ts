import type { BusClock, BusLogger, LogBus, LogBusOptions } from "@signalbox/event-bus";

/** What one process's bus is opened with. All that are not given have the bus's own defaults. */
export interface OpenOptions {
  /** The TCP port of 127.0.0.1 to connect to: the engine's own, or that of a link in between. */
  readonly port: number;
  readonly lease: NonNullable<LogBusOptions["lease"]>;
  readonly limits: NonNullable<LogBusOptions["limits"]>;
  /** The process's own clock. One that stands still makes a zombie: it thinks that its lease is valid for ever. */
  readonly clock: BusClock;
  readonly logger: BusLogger;
}

/** One real engine server that holds one catalog, and all that can happen to it. Faults may follow each other in any order. */
export interface EngineUnderTest {
  readonly name: string;
  /** The TCP port of 127.0.0.1 that it listens on, also after a restart. */
  readonly port: number;
  /** Ends the server at once, as a crash does. What it stored stays. */
  kill(): Promise<void>;
  /** Starts the server again with what it stored, whether it runs or not, and waits until it is ready. */
  restart(): Promise<void>;
  /** Stops the server's clock: connections stay open, nothing is read or answered. */
  freeze(): void;
  /** Lets a frozen server go on. */
  thaw(): void;
  /** Ends the server at once, removes all that it stored, starts it again and waits until it is ready. */
  wipe(): Promise<void>;
  /** Removes the log that readers follow now, as a careless operator would; nothing where there is none. The server runs. */
  deleteLog(): Promise<void>;
  /** Removes what is oldest in the log that readers follow now, its snapshot too; nothing where there is none. The server runs. */
  truncateLog(): Promise<void>;
  /** Opens the bus of the catalog as another process would. */
  open(options: OpenOptions): LogBus;
  /** Ends the server and removes its files. */
  stop(): Promise<void>;
}
