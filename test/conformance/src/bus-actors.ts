import { setTimeout as delay } from "node:timers/promises";
import { createAggregate } from "@signalbox/aggregate";
import { foldEvent } from "@signalbox/event-bus";
import type { EventBus, LogBus } from "@signalbox/event-bus";
import { entryVersions, serviceKey } from "@signalbox/model";
import type { Catalog, CatalogDelta, CatalogEntry, Revision } from "@signalbox/model";
import { noMetrics, silentLogger, systemClock } from "@signalbox/registry";
import { MemoryRegistry, serviceRecord } from "@signalbox/registry/conformance";
import type { MemorySource } from "@signalbox/registry/conformance";
import { waitFor } from "@signalbox/test-servers";

/** A catalog entry of one service with so many endpoints. */
export function entryOf(name: string, generation: number, endpoints = 1): CatalogEntry {
  const { instances: given, service } = serviceRecord({
    hostname: `${name}.example`,
    labels: { generation: String(generation) },
    instances: Array.from({ length: endpoints }, (_, index) => `10.0.${index >> 8}.${index & 255}`),
  });
  const instances = given.map(({ provenance, ...instance }) => ({
    ...instance,
    priority: 0,
    provenance: [provenance] as const,
    findings: [],
  }));
  return {
    key: serviceKey(service),
    service,
    instances,
    registries: [service.provenance.registry],
    versions: entryVersions(service, instances),
  };
}

/** A catalog of these entries. */
export function contentOf(entries: readonly CatalogEntry[]): Omit<Catalog, "revision"> {
  return { entries: new Map(entries.map((entry) => [entry.key, entry])), workloads: new Map(), objects: new Map() };
}

/** A delta that upserts these entries. */
export function upsert(entries: readonly CatalogEntry[]): CatalogDelta {
  const none = { upserted: [], removed: [] };
  return { entries: { upserted: entries, removed: [] }, workloads: none, objects: none };
}

/** Follows a bus and keeps the catalog that it folds. */
export class BusFollower {
  readonly #end = new AbortController();
  readonly #running: Promise<void>;
  #catalog: Catalog | undefined;
  #failure: Error | undefined;
  /** How many services there were in all catalogs that it had. */
  readonly sizes = new Set<number>();

  constructor(bus: EventBus) {
    this.#running = this.#follow(bus).catch((error: unknown) => {
      this.#failure = error instanceof Error ? error : new Error(String(error));
    });
  }

  get catalog(): Catalog | undefined {
    return this.#catalog;
  }

  /** Resolves with the catalog as soon as it satisfies the condition. Rejects when it does not in time, and after a gap. */
  async when(what: string, holds: (catalog: Catalog) => boolean, deadlineMs = 15_000): Promise<Catalog> {
    const ask = (): Catalog | Error | undefined => {
      const catalog = this.#catalog;
      return this.#failure ?? (catalog !== undefined && holds(catalog) ? catalog : undefined);
    };
    const answer = await waitFor(ask, { what, deadlineMs });
    if (answer instanceof Error) throw answer;
    return answer;
  }

  /** Resolves with the catalog at this revision. */
  async at({ epoch, sequence }: Revision, deadlineMs?: number): Promise<Catalog> {
    return this.when(
      `revision ${epoch}/${sequence}`,
      ({ revision }) => revision.epoch === epoch && revision.sequence === sequence,
      deadlineMs,
    );
  }

  async end(): Promise<void> {
    this.#end.abort();
    await this.#running;
  }

  async #follow(bus: EventBus): Promise<void> {
    for await (const event of bus.subscribe("follower", this.#end.signal)) {
      this.#catalog = foldEvent(this.#catalog, event);
      this.sizes.add(this.#catalog.entries.size);
    }
  }
}

/** A discovery process: an aggregate over one source, which leads the bus and leads it again whenever it was fenced. */
export function discover(bus: Pick<EventBus, "lead">, source: MemorySource) {
  const end = new AbortController();
  const deps = { name: "truth", logger: silentLogger, clock: systemClock, metrics: noMetrics, baseDir: "." };
  const aggregate = createAggregate({
    bus,
    registries: [new MemoryRegistry(source, deps)],
    debounce: { quietMs: 2, maxMs: 20 },
    restart: { firstMs: 50, maxMs: 400, steadyMs: 1000 },
  });
  const running = aggregate.run(end.signal);
  return {
    aggregate,
    async stop(): Promise<void> {
      end.abort();
      await running;
    },
  };
}

/** Leads with the same content, and again whenever the lead is over, although nobody publishes anything. */
export class SteadyWriter {
  readonly #end = new AbortController();
  readonly #running: Promise<void>;

  constructor(bus: LogBus, content: Omit<Catalog, "revision">) {
    this.#running = this.#lead(bus, content);
  }

  async stop(): Promise<void> {
    this.#end.abort();
    await this.#running;
  }

  async #lead(bus: LogBus, content: Omit<Catalog, "revision">): Promise<void> {
    const { signal } = this.#end;
    while (!signal.aborted) {
      try {
        await bus.lead(() => content, signal);
        await waitFor(() => !bus.status().led, { what: "the end of the lead", deadlineMs: 3_600_000, signal });
      } catch {
        // The engine is down or lost something; or this is the end.
        await delay(20, undefined, { signal }).catch(() => undefined);
      }
    }
  }
}
