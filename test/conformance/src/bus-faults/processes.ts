import { foldEvent } from "@signalbox/event-bus";
import type { BusLogger, LogBus } from "@signalbox/event-bus";
import type { Catalog } from "@signalbox/model";
import { startLink } from "@signalbox/test-servers";
import type { Link } from "@signalbox/test-servers";
import { discover } from "../bus-actors.ts";
import type { EngineUnderTest } from "./engine-under-test.ts";
import type { Ledger } from "./ledger.ts";
import type { Truth } from "./source.ts";
import { StoppableClock } from "./stoppable-clock.ts";

/** Leases are short, so that a sequence of many faults takes seconds. Milliseconds. */
const lease = { ttlMs: 800, renewMs: 200, retryMs: 100 };

/** Snapshots come often, in several parts. */
const limits = { compactAfterBytes: 20_000, partBytes: 4096, batchBytes: 16_384 };

/** One process's way to the engine. */
interface Connection {
  readonly link: Link;
  readonly clock: StoppableClock;
  readonly bus: LogBus;
}

async function connectTo(engine: EngineUnderTest, name: string, log: (line: string) => void): Promise<Connection> {
  const link = await startLink(engine.port);
  const clock = new StoppableClock();
  const write = (event: string, fields?: object): void => log(`${name}: ${event} ${JSON.stringify(fields ?? {})}`);
  const logger: BusLogger = { info: write, warn: write };
  return { link, clock, bus: engine.open({ port: link.port, lease, limits, clock, logger }) };
}

async function disconnect({ bus, clock, link }: Connection): Promise<void> {
  // Whoever died has no clock that stands still.
  clock.go();
  await bus.close();
  await link.close();
}

/** A process that discovers and publishes: a real aggregate. */
export class WriterProcess {
  readonly name: string;
  readonly link: Link;
  readonly clock: StoppableClock;
  readonly #connection: Connection;
  readonly #discovery: ReturnType<typeof discover>;

  private constructor(name: string, connection: Connection, truth: Truth, ledger: Ledger) {
    this.name = name;
    this.link = connection.link;
    this.clock = connection.clock;
    this.#connection = connection;
    this.#discovery = discover(ledger.noting(connection.bus), truth.source);
  }

  static async start(
    name: string,
    engine: EngineUnderTest,
    truth: Truth,
    ledger: Ledger,
    log: (line: string) => void,
  ): Promise<WriterProcess> {
    return new WriterProcess(name, await connectTo(engine, name, log), truth, ledger);
  }

  /** Whether it leads, as far as it knows. */
  get leads(): boolean {
    return this.#connection.bus.status().led;
  }

  catalog(): Catalog {
    return this.#discovery.aggregate.catalog();
  }

  /** Ends it as it should: it gives its lease back. */
  async stop(): Promise<void> {
    await this.#discovery.stop();
    await disconnect(this.#connection);
  }

  /** Ends it as a crash does: the engine hears nothing from it any more. */
  async kill(): Promise<void> {
    this.link.cut();
    await this.stop();
  }
}

/** A process that follows. It shows what it has folded, as it would serve it to clients. */
export class PublisherProcess {
  readonly name: string;
  readonly link: Link;
  readonly #connection: Connection;
  readonly #end = new AbortController();
  readonly #running: Promise<void>;
  #catalog: Catalog | undefined;

  private constructor(
    name: string,
    connection: Connection,
    shown: (previous: Catalog | undefined, catalog: Catalog) => void,
    failed: (error: unknown) => void,
  ) {
    this.name = name;
    this.link = connection.link;
    this.#connection = connection;
    this.#running = this.#follow(shown).catch(failed);
  }

  static async start(
    name: string,
    engine: EngineUnderTest,
    log: (line: string) => void,
    /** Told of each catalog and the one before it. */
    shown: (previous: Catalog | undefined, catalog: Catalog) => void,
    /** Told of a gap. */
    failed: (error: unknown) => void,
  ): Promise<PublisherProcess> {
    return new PublisherProcess(name, await connectTo(engine, name, log), shown, failed);
  }

  get catalog(): Catalog | undefined {
    return this.#catalog;
  }

  /** Where it stands, for messages. */
  status(): string {
    const { error, follower, revision } = this.#connection.bus.status();
    return `${this.name}: ${follower} ${JSON.stringify(revision)} ${error ?? ""}`;
  }

  async kill(): Promise<void> {
    this.link.cut();
    this.#end.abort();
    await disconnect(this.#connection);
    await this.#running;
  }

  async #follow(shown: (previous: Catalog | undefined, catalog: Catalog) => void): Promise<void> {
    for await (const event of this.#connection.bus.subscribe(this.name, this.#end.signal)) {
      const previous = this.#catalog;
      this.#catalog = foldEvent(previous, event);
      shown(previous, this.#catalog);
    }
  }
}
