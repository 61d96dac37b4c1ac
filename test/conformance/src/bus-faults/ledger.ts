import { CatalogFold } from "@signalbox/event-bus";
import type { BusWriter, EventBus } from "@signalbox/event-bus";
import { byCodeUnit, contentHash } from "@signalbox/model";
import type { Catalog, CatalogDelta, Revision } from "@signalbox/model";

type Content = Omit<Catalog, "revision">;

/** What writers published, or tried to: a catalog that a publisher shows must be one of these. */
export class Ledger {
  readonly #known = new Map<string, string>();
  /** Snapshots that were given to attempts to lead, whose epochs nobody knows before they succeed. */
  readonly #offered = new Set<string>();
  /** The epochs in which somebody led. */
  readonly epochs = new Set<string>();

  /** What is wrong with a catalog that is shown, if anything. */
  fault(catalog: Catalog): string | undefined {
    const { epoch, sequence } = catalog.revision;
    const hash = hashOf(catalog);
    const known = this.#known.get(`${epoch}/${sequence}`);
    if (known !== undefined)
      return known === hash ? undefined : `the catalog of ${epoch}/${sequence} is not what its writer published`;
    if (sequence === 0 && this.#offered.has(hash)) {
      this.#known.set(`${epoch}/0`, hash);
      return undefined;
    }
    return `no writer published ${epoch}/${sequence}`;
  }

  /** The bus of one writer, whose publications are noted here. */
  noting(bus: EventBus): Pick<EventBus, "lead"> {
    return {
      lead: async (snapshot, signal) => {
        let content: Content | undefined;
        const writer = await bus.lead(() => {
          content = snapshot();
          this.#offered.add(hashOf(content));
          return content;
        }, signal);
        this.#note({ epoch: writer.epoch, sequence: 0 }, content ?? new CatalogFold());
        this.epochs.add(writer.epoch);
        return this.#notingWriter(writer, content);
      },
    };
  }

  /** Notes each publication before it is sent: what fails may have happened. */
  #notingWriter(writer: BusWriter, content: Content | undefined): BusWriter {
    const { epoch } = writer;
    const fold = new CatalogFold(content);
    let last = 0;
    const publish = async (delta: CatalogDelta): Promise<Revision> => {
      fold.apply(delta);
      this.#note({ epoch, sequence: last + 1 }, fold);
      const revision = await writer.publish(delta);
      last = revision.sequence;
      return revision;
    };
    // All else that a writer says is the writer's own.
    return new Proxy(writer, {
      get: (target, name): unknown => (name === "publish" ? publish : Reflect.get(target, name, target)),
    });
  }

  #note({ epoch, sequence }: Revision, content: Content): void {
    this.#known.set(`${epoch}/${sequence}`, hashOf(content));
  }
}

/** One text for one content. */
export function hashOf(content: Content): string {
  const sorted = (map: ReadonlyMap<string, unknown>) => [...map].sort(([a], [b]) => byCodeUnit(a, b));
  return contentHash([sorted(content.entries), sorted(content.workloads), sorted(content.objects)]);
}
