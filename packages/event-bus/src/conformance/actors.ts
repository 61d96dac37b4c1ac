import type { Catalog, CatalogDelta, Revision } from "@signalbox/model";
import type { BusWriter, EventBus } from "../bus.ts";
import type { ChangeEvent } from "../event.ts";
import { CatalogFold, foldEvent, sameRevision } from "../fold.ts";
import type { Content } from "./content.ts";

/** A writer that keeps what it published, as an aggregate does. */
export class SuiteWriter {
  readonly fold: CatalogFold;
  readonly #resign = new AbortController();
  #writer: BusWriter | undefined;
  #revision: Revision | undefined;

  private constructor(content: Content | undefined) {
    this.fold = new CatalogFold(content);
  }

  /** Takes the lead with this content. */
  static async lead(bus: EventBus, content: Content | undefined, deadline: AbortSignal): Promise<SuiteWriter> {
    const writer = new SuiteWriter(content);
    writer.#writer = await within(
      bus.lead(() => writer.fold, writer.#resign.signal),
      "lead",
      deadline,
    );
    writer.#revision = { epoch: writer.#writer.epoch, sequence: 0 };
    return writer;
  }

  get epoch(): string {
    return this.revision.epoch;
  }

  /** The revision of what was published last. */
  get revision(): Revision {
    if (this.#revision === undefined) throw new TypeError("the writer does not lead yet");
    return this.#revision;
  }

  async publish(delta: CatalogDelta): Promise<Revision> {
    if (this.#writer === undefined) throw new TypeError("the writer does not lead yet");
    this.#revision = await this.#writer.publish(delta);
    this.fold.apply(delta);
    return this.#revision;
  }

  /** What the writer holds to be true, as a copy. */
  catalog(): Catalog {
    return this.fold.catalog(this.revision);
  }

  resign(): void {
    this.#resign.abort();
  }
}

/** A consumer that takes events one by one and folds them; a gap makes `take` reject. */
export class SuiteConsumer {
  readonly events: ChangeEvent[] = [];
  readonly #iterator: AsyncIterator<ChangeEvent>;
  readonly #end = new AbortController();
  #catalog: Catalog | undefined;

  constructor(bus: EventBus, name: string) {
    this.#iterator = bus.subscribe(name, this.#end.signal)[Symbol.asyncIterator]();
  }

  get catalog(): Catalog | undefined {
    return this.#catalog;
  }

  /** Takes one event. */
  async take(deadline: AbortSignal): Promise<ChangeEvent> {
    const next = await within(this.#iterator.next(), "next event", deadline);
    if (next.done === true) throw new Error("the subscription ended");
    this.#catalog = foldEvent(this.#catalog, next.value);
    this.events.push(next.value);
    return next.value;
  }

  /** Takes events until the folded catalog is at this revision. */
  async reach(revision: Revision, deadline: AbortSignal): Promise<Catalog> {
    while (this.#catalog === undefined || !sameRevision(this.#catalog.revision, revision)) await this.take(deadline);
    return this.#catalog;
  }

  /** Takes the next result as it is. */
  async next(deadline: AbortSignal): Promise<IteratorResult<ChangeEvent>> {
    return within(this.#iterator.next(), "next event", deadline);
  }

  /** Aborts the subscription. */
  abort(): void {
    this.#end.abort();
  }

  /** Aborts the subscription and waits until it is over. */
  async leave(deadline: AbortSignal): Promise<void> {
    this.#end.abort();
    for (;;) {
      const next = await this.next(deadline);
      if (next.done === true) return;
    }
  }
}

async function within<T>(promise: Promise<T>, what: string, deadline: AbortSignal): Promise<T> {
  let fail: () => void = () => {};
  const late = new Promise<never>((_, reject) => {
    fail = () => reject(new Error(`no ${what} before the deadline`));
  });
  if (deadline.aborted) fail();
  deadline.addEventListener("abort", fail, { once: true });
  try {
    return await Promise.race([promise, late]);
  } finally {
    deadline.removeEventListener("abort", fail);
  }
}
