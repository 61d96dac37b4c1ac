import type { Catalog, CatalogDelta, Revision } from "@signalbox/model";
import type { BusWriter } from "../bus.ts";
import { MemoryEngine } from "../conformance/memory-engine.ts";
import type { MemoryServer } from "../conformance/memory-engine.ts";
import { isEmptyDelta } from "../delta.ts";
import { CatalogFold, foldEvent } from "../fold.ts";
import { createLogBus } from "../log/log-bus.ts";
import type { LogBus, LogBusOptions } from "../log/log-bus.ts";
import { slept } from "../log/lease.ts";
import type { HandClock } from "./hand-clock.ts";

/** One process with a bus over an engine in memory, and what it logged. */
export class Process {
  readonly bus: LogBus;
  readonly log: string[] = [];
  readonly stop = new AbortController();

  constructor(server: MemoryServer, clock: HandClock, options: LogBusOptions = {}) {
    const line = (event: string) => this.log.push(event);
    this.bus = createLogBus(new MemoryEngine(server), { clock, logger: { info: line, warn: line }, ...options });
  }
}

/** What is told of each catalog that readers may come to see: those of a new epoch without a revision, because it has none yet. */
export type Witness = (content: Omit<Catalog, "revision">, revision?: Revision) => void;

/**
 * Leads whenever it can, as an aggregate does: what it holds to be true it publishes, and again in a new epoch where that failed. From
 * when a snapshot is given until the lead is decided, nothing changes.
 */
export class Leading {
  readonly fold: CatalogFold;
  readonly errors: unknown[] = [];
  readonly done: Promise<void>;
  readonly #witness: Witness;
  #writer: BusWriter | undefined;
  #revision: Revision | undefined;
  /** Changes that wait until the lead is decided. */
  #held: CatalogDelta[] | undefined;

  constructor(
    process: Process,
    clock: HandClock,
    content?: Omit<Catalog, "revision">,
    witness: Witness = () => undefined,
  ) {
    this.fold = new CatalogFold(content);
    this.#witness = witness;
    this.done = this.#run(process, clock);
  }

  /** The writer, while this one leads as far as it knows. */
  get writer(): BusWriter | undefined {
    return this.#writer?.over.aborted === false ? this.#writer : undefined;
  }

  /** The revision of what was published last. */
  get revision(): Revision | undefined {
    return this.#revision;
  }

  /** Makes a change true, and publishes it if this process leads. */
  async change(delta: CatalogDelta): Promise<void> {
    if (this.#held !== undefined) {
      this.#held.push(delta);
      return;
    }
    this.fold.apply(delta);
    const { writer } = this;
    if (writer === undefined || this.#revision === undefined || isEmptyDelta(delta)) return;
    // Readers may see it though the answer says that it failed.
    this.#revision = { epoch: writer.epoch, sequence: this.#revision.sequence + 1 };
    this.#witness(this.fold.catalog(this.#revision), this.#revision);
    try {
      await writer.publish(delta);
    } catch (error) {
      this.errors.push(error);
    }
  }

  async #run({ bus, stop }: Process, clock: HandClock): Promise<void> {
    for (;;) {
      try {
        this.#writer = await bus.lead(() => this.#snapshot(), stop.signal);
        this.#revision = { epoch: this.#writer.epoch, sequence: 0 };
        this.#witness(this.fold.catalog(this.#revision), this.#revision);
      } catch (error) {
        if (stop.signal.aborted) return;
        this.errors.push(error);
        await slept(clock, 100, stop.signal);
        continue;
      } finally {
        const held = this.#held ?? [];
        this.#held = undefined;
        for (const delta of held) void this.change(delta);
      }
      const { over } = this.#writer;
      if (!over.aborted) await new Promise((resolve) => over.addEventListener("abort", resolve, { once: true }));
    }
  }

  #snapshot(): Omit<Catalog, "revision"> {
    this.#held ??= [];
    const content = new CatalogFold(this.fold);
    this.#witness(content);
    return content;
  }
}

/** Follows a bus and folds what comes; a gap ends it with an error. */
export class Following {
  readonly stop = new AbortController();
  readonly done: Promise<void>;
  readonly #check: (catalog: Catalog) => void;
  catalog: Catalog | undefined;
  events = 0;

  /** `check` is told of each catalog that this consumer has. */
  constructor({ bus }: Process, check: (catalog: Catalog) => void = () => undefined) {
    this.#check = check;
    this.done = this.#run(bus);
  }

  async #run(bus: LogBus): Promise<void> {
    for await (const event of bus.subscribe("test", this.stop.signal)) {
      this.events++;
      this.catalog = foldEvent(this.catalog, event);
      this.#check(this.catalog);
    }
  }
}
