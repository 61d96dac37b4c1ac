import { setImmediate as nextTurn } from "node:timers/promises";
import { CatalogFold, isEmptyDelta } from "@signalbox/event-bus";
import type { BusWriter, EventBus } from "@signalbox/event-bus";
import { objectKey } from "@signalbox/model";
import type { Catalog, CatalogDelta, Revision } from "@signalbox/model";
import type { Clock, Logger } from "@signalbox/registry";
import { atOnce, type Steps } from "@signalbox/slices";
import type { Assembly } from "./assembly.ts";
import { CatalogIndex } from "./catalog-index.ts";
import type { EntryChange } from "./catalog-index.ts";
import type { Debounce } from "./debounce.ts";
import type { Handlers } from "./handlers.ts";
import { isFenced, Leadership } from "./leadership.ts";
import type { Line } from "./line.ts";
import type { Publication, RestartOptions } from "./options.ts";
import { toError } from "./waiting.ts";

/** What publishing works with. */
export interface PublishingOptions {
  readonly bus: Pick<EventBus, "lead">;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly restart: RestartOptions;
  /** Where deltas are made, so that no update is half taken in meanwhile. */
  readonly line: Line;
  readonly assembly: Assembly;
  readonly debounce: Debounce;
  readonly handlers: Handlers;
  onPublish(publication: Publication): void;
}

/** A delta, and what it makes of entries. */
interface Made {
  readonly delta: CatalogDelta;
  readonly changes: readonly EntryChange[];
}

/** So many touched keys are taken in at once by a snapshot for a new lead: some milliseconds of work. */
const fewKeys = 64;

/** So many entries take a few milliseconds to write down. */
const manyChanges = 1000;

/**
 * Takes what changed into the catalog and, while this process leads, publishes it. The catalog and its revision change within one step: until a delta is
 * published, whoever asks sees the one before, and from then on all of it.
 */
export class Publishing {
  readonly #options: PublishingOptions;
  readonly #leadership: Leadership;
  readonly #fold = new CatalogFold();
  /** Finds what is in the catalog. */
  readonly index = new CatalogIndex(this.#fold.entries);
  #revision: Revision = { epoch: "", sequence: 0 };
  /** When the first change that is not published yet came. */
  #oldest: number | undefined;
  /** Whether a delta is being made, or is on its way. */
  #isUnderWay = false;
  #fatal: Error | undefined;

  constructor(options: PublishingOptions) {
    this.#options = options;
    const { bus, clock, debounce, logger, restart } = options;
    this.#leadership = new Leadership({
      ...{ bus, clock, logger, restart },
      snapshot: () => this.#snapshot(),
      won: (epoch) => (this.#revision = { epoch, sequence: 0 }),
      // Whoever waits for changes tries for the lead again.
      lost: () => debounce.touch(),
      failed: (error) => {
        this.#fatal = error;
        debounce.touch();
      },
    });
  }

  /** Whether this process leads, as far as it knows. */
  get leads(): boolean {
    return this.#leadership.writer !== undefined;
  }

  /** What is in the catalog; live. */
  get entries(): CatalogFold["entries"] {
    return this.#fold.entries;
  }

  catalog(): Catalog {
    return this.#fold.catalog(this.#revision);
  }

  /** Takes over what changed without publishing it, before `run`. Rejects with the signal's reason when it aborts first; then nothing is lost. */
  async absorb(signal: AbortSignal): Promise<void> {
    this.#oldest = undefined;
    const made = await this.#make(signal);
    this.#commit(made, this.#local());
    await this.#tell(made);
  }

  /** Leads and publishes until `signal` aborts, and rejects then. Also rejects when the bus will never give the lead. */
  async run(signal: AbortSignal): Promise<void> {
    this.#fatal = undefined;
    for (;;) {
      this.#leadership.seek(signal);
      const first = await this.#options.debounce.due(signal);
      this.#oldest ??= first;
      this.#throwFatal();
      await this.#leadership.settled();
      this.#isUnderWay = true;
      try {
        await this.#pass(signal);
      } finally {
        this.#isUnderWay = false;
      }
    }
  }

  #throwFatal(): void {
    if (this.#fatal !== undefined) throw this.#fatal;
  }

  /** Ends with the run. */
  async end(): Promise<void> {
    await this.#leadership.end();
  }

  /** Takes over and publishes what is touched. */
  async #pass(signal: AbortSignal): Promise<void> {
    const made = await this.#make(signal);
    // The lead may have been asked for meanwhile, with the catalog as it was before.
    while (this.#leadership.isPromised) await this.#leadership.settled();
    const { writer } = this.#leadership;
    if (writer === undefined) {
      this.#oldest = undefined;
      this.#commit(made, this.#local());
      await this.#tell(made);
    } else if (isEmptyDelta(made.delta)) this.#oldest = undefined;
    else await this.#publish(made, writer, signal);
  }

  async #publish(made: Made, writer: BusWriter, signal: AbortSignal): Promise<void> {
    const { assembly, clock, debounce, logger, restart } = this.#options;
    try {
      // Only what this thread does: a bus that is far away costs nothing while it is waited for.
      const revision = await this.#timed(() => writer.publish(made.delta));
      // A bus of this process has just taken them in, which takes as long as what follows. Nobody asks for another lead before this pass is over.
      if (made.changes.length >= manyChanges) await nextTurn();
      this.#timed(() => this.#commit(made, revision));
    } catch (thrown) {
      const error = toError(thrown);
      assembly.again(made.delta, objectKey);
      debounce.touch();
      await this.#options.line.run(this.index.settle(made.changes));
      if (isFenced(error)) {
        this.#leadership.lost(writer, error);
        return;
      }
      logger.error("bus-publish-failed", { epoch: writer.epoch, error });
      await clock.sleep(restart.firstMs, signal);
      return;
    }
    const now = clock.now();
    // A clock that was set back gives no negative times.
    const debounceMs = Math.max(0, now - (this.#oldest ?? now));
    this.#oldest = undefined;
    // What is published is told of to the end, also where the run ends meanwhile.
    await this.#tell(made);
    this.#options.onPublish({ revision: this.#revision, debounceMs });
  }

  /**
   * What a new epoch begins with. Who does not lead has published nothing, so that may be all that is known; but only what is little is taken in
   * now, and nothing while something is being made: the rest is a delta of that epoch.
   */
  #snapshot(): Omit<Catalog, "revision"> {
    const { assembly, line } = this.#options;
    if (!this.leads && !this.#isUnderWay && line.isIdle && assembly.touched.size <= fewKeys) {
      this.#oldest = undefined;
      const made = atOnce(this.#spending(this.#making()));
      this.#commit(made, this.#local());
      atOnce(this.#telling(made));
    }
    return this.catalog();
  }

  /** What is touched now, as a delta. What takes long ends with a turn of the event loop, so that what follows is not added to it. */
  async #make(signal: AbortSignal): Promise<Made> {
    const made = this.#options.line.run(this.#spending(this.#making(signal)));
    if (!(made instanceof Promise)) return made;
    await made;
    await nextTurn();
    return made;
  }

  *#making(signal?: AbortSignal): Steps<Made> {
    const { assembly, clock } = this.#options;
    const delta = yield* assembly.delta(this.#fold, clock.now(), signal);
    const changes: EntryChange[] = [];
    for (const key of delta.entries.removed)
      changes.push({ key, previous: this.#fold.entries.get(key), current: undefined });
    for (const current of delta.entries.upserted)
      changes.push({ key: current.key, previous: this.#fold.entries.get(current.key), current });
    yield* this.index.expect(changes);
    return { delta, changes };
  }

  #local(): Revision {
    return { epoch: "", sequence: this.#revision.epoch === "" ? this.#revision.sequence + 1 : 0 };
  }

  /** Has a delta be part of the catalog. */
  #commit({ delta }: Made, revision: Revision): void {
    if (isEmptyDelta(delta)) return;
    this.#fold.apply(delta);
    this.#revision = revision;
  }

  async #tell(made: Made): Promise<void> {
    const told = this.#options.line.run(this.#spending(this.#telling(made)));
    if (told instanceof Promise) {
      await told;
      // What follows is not added to the end of it.
      await nextTurn();
    }
  }

  /** After a commit: has the index forget what was, and tells handlers. */
  *#telling({ changes }: Made): Steps<undefined> {
    yield* this.index.settle(changes);
    yield* this.#options.handlers.tell(changes);
    return undefined;
  }

  /** Does a part of publishing, which the next storm has to wait longer for. */
  #timed<T>(work: () => T): T {
    const { clock, debounce } = this.#options;
    const began = clock.now();
    try {
      return work();
    } finally {
      debounce.spent(clock.now() - began);
    }
  }

  /** The same for work in steps; what others do between them does not count. */
  *#spending<T>(steps: Steps<T>): Steps<T> {
    for (;;) {
      const next = this.#timed(() => steps.next());
      if (next.done === true) return next.value;
      yield;
    }
  }
}
