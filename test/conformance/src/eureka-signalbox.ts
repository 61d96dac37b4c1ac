import { eurekaModule } from "@signalbox/adapter-eureka";
import { createAggregate, type AggregateController, type ArchivedShard, type ShardArchive } from "@signalbox/aggregate";
import { createInProcessBus, foldEvent } from "@signalbox/event-bus";
import type { Catalog, RegistryId } from "@signalbox/model";
import { noMetrics, silentLogger, systemClock } from "@signalbox/registry";
import { waitFor } from "@signalbox/test-servers";

/** Keeps shards as text, so that nothing but data outlives a restart. */
export class TextArchive implements ShardArchive {
  readonly #texts = new Map<RegistryId, string>();

  load(id: RegistryId): Promise<ArchivedShard | undefined> {
    const text = this.#texts.get(id);
    return Promise.resolve(text === undefined ? undefined : (JSON.parse(text) as ArchivedShard));
  }

  save(id: RegistryId, shard: ArchivedShard): Promise<void> {
    this.#texts.set(id, JSON.stringify(shard));
    return Promise.resolve();
  }
}

/** One life of a Signalbox that reads one Eureka: the adapter, the aggregate and everything that was published. */
export class EurekaSignalbox {
  readonly #aggregate: AggregateController;
  readonly #published: Catalog[] = [];
  readonly #end = new AbortController();
  readonly #ended: Promise<unknown>;

  constructor(config: object, state: { readonly archive: TextArchive; readonly restore: "at-deadline" | "at-once" }) {
    const deps = { name: "real", logger: silentLogger, metrics: noMetrics, clock: systemClock, baseDir: "/" };
    const parsed = eurekaModule.parseConfig({ pollSeconds: 0.2, timeoutSeconds: 2, ...config });
    const bus = createInProcessBus();
    this.#aggregate = createAggregate({ bus, registries: [eurekaModule.create(parsed, deps)], state });
    const { signal } = this.#end;
    const consume = async (): Promise<void> => {
      let catalog: Catalog | undefined;
      for await (const event of bus.subscribe("test", signal))
        this.#published.push((catalog = foldEvent(catalog, event)));
    };
    this.#ended = Promise.all([consume(), this.#aggregate.run(signal)]);
  }

  /** Ends it as a shutdown does: what is known is saved. */
  async stop(): Promise<void> {
    this.#end.abort();
    await this.#ended;
  }

  /** The state of the registry. */
  get state(): string | undefined {
    return this.#aggregate.status()[0]?.state;
  }

  /** Waits until exactly these addresses of an application are published. */
  async serves(app: string, addresses: readonly string[], deadlineMs = 30_000): Promise<void> {
    const wanted = [...addresses].sort().join();
    await waitFor(() => this.#published.length > 0 && addressesIn(this.#published.at(-1), app).join() === wanted, {
      what: `${app} at ${wanted}`,
      deadlineMs,
    });
  }

  /** Waits for complete reads. */
  async reads(count: number, deadlineMs = 30_000): Promise<void> {
    const last = (): number => this.#aggregate.status()[0]?.lastCompleteRead ?? 0;
    for (let read = 0; read < count; read++) {
      const before = last();
      await waitFor(() => this.state === "SYNCED" && last() > before, { what: "a complete read", deadlineMs });
    }
  }

  /** Whether this address was in everything that this life published. */
  alwaysServed(app: string, address: string): boolean {
    return this.#published.length > 0 && this.#published.every((one) => addressesIn(one, app).includes(address));
  }
}

function addressesIn(catalog: Catalog | undefined, app: string): readonly string[] {
  const entry = [...(catalog?.entries.values() ?? [])].find(({ service }) => service.hostname === `${app}.eureka`);
  return (entry?.instances ?? [])
    .map(({ addresses: [first] }) => (first.type === "ip" ? `${first.ip}:${first.port}` : first.type))
    .sort();
}
