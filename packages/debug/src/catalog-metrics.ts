import type { Catalog, CatalogDelta, CatalogEntry, HealthStatus, ObjectKey, ServiceKey } from "@signalbox/model";
import { each, Slices, type Steps } from "@signalbox/slices";
import type { Instruments } from "./instruments.ts";

interface Counted {
  readonly version: string;
  readonly health: ReadonlyMap<HealthStatus, number>;
}

type Event =
  | { readonly type: "snapshot"; readonly catalog: Catalog }
  | { readonly type: "delta"; readonly revision: Catalog["revision"]; readonly delta: CatalogDelta };

/** Follows the catalog by its events; work for a delta is proportional to the delta. What a large one counts shows a little later. */
export class CatalogMetrics {
  readonly #instruments: Instruments;
  readonly #now: () => number;
  readonly #services = new Map<ServiceKey, Counted>();
  readonly #health = new Map<HealthStatus, number>();
  readonly #virtualServices = new Set<ObjectKey>();
  readonly #objects = new Set<string>();
  readonly #workloads = new Set<string>();
  readonly #slices: Slices;
  #withoutInstances = 0;
  #lastChange: number | undefined;

  constructor(instruments: Instruments, now: () => number) {
    this.#instruments = instruments;
    this.#now = now;
    this.#slices = new Slices({ now });
  }

  /** When the catalog last changed, in epoch milliseconds; `undefined` before the first event. */
  get lastChange(): number | undefined {
    return this.#lastChange;
  }

  /** Takes one event of the bus. One call at a time: what is small is counted when it returns. */
  async event(event: Event): Promise<void> {
    this.#lastChange = this.#now();
    this.#instruments.count("signalbox_bus_events_total", { type: event.type });
    const counted = this.#slices.run(this.#counting(event));
    if (counted instanceof Promise) await counted;
  }

  *#counting(event: Event): Steps<undefined> {
    const delta = event.type === "delta" ? event.delta : yield* this.#replacement(event.catalog);
    yield* this.#applying(delta);
    const revision = event.type === "delta" ? event.revision : event.catalog.revision;
    this.#instruments.set("signalbox_bus_revision", revision.sequence);
    this.#publish();
    return undefined;
  }

  /** A snapshot as the delta from what is known; unchanged services are not in it. */
  *#replacement(catalog: Catalog): Steps<CatalogDelta> {
    const upserted: CatalogEntry[] = [];
    yield* each(catalog.entries.values(), (entry) => {
      if (this.#services.get(entry.key)?.version !== versionOf(entry)) upserted.push(entry);
    });
    const removed: ServiceKey[] = [];
    yield* each(this.#services.keys(), (key) => {
      if (!catalog.entries.has(key)) removed.push(key);
    });
    return {
      entries: { upserted, removed },
      workloads: {
        upserted: [...catalog.workloads.values()],
        removed: ([...this.#workloads] as CatalogDelta["workloads"]["removed"][number][]).filter(
          (key) => !catalog.workloads.has(key),
        ),
      },
      objects: {
        upserted: [...catalog.objects.values()],
        removed: ([...this.#objects] as ObjectKey[]).filter((key) => !catalog.objects.has(key)),
      },
    };
  }

  *#applying(delta: CatalogDelta): Steps<undefined> {
    const triggers = new Set<string>();
    const update = (type: string, trigger: string): void => {
      this.#instruments.count("pilot_inbound_updates", { type });
      triggers.add(trigger);
    };
    for (const key of delta.entries.removed) {
      this.#forget(key);
      update("svcdelete", "service");
      yield;
    }
    for (const entry of delta.entries.upserted) {
      const before = this.#services.get(entry.key)?.version.split("/")[0];
      if (before === entry.versions.service) update("eds", "endpoint");
      else update("svc", "service");
      this.#remember(entry);
      yield;
    }
    this.#applyObjects(delta, () => update("config", "config"));
    for (const { key } of delta.workloads.upserted) this.#workloads.add(key);
    for (const key of delta.workloads.removed) this.#workloads.delete(key);
    if (delta.workloads.upserted.length + delta.workloads.removed.length > 0) triggers.add("workload");
    for (const type of triggers) this.#instruments.count("pilot_push_triggers", { type });
    return undefined;
  }

  #applyObjects(delta: CatalogDelta, update: () => void): void {
    for (const { kind, namespace, name } of delta.objects.upserted) {
      const key = `${kind}/${namespace}/${name}` as ObjectKey;
      this.#objects.add(key);
      if (kind === "VirtualService") this.#virtualServices.add(key);
      update();
    }
    for (const key of delta.objects.removed) {
      this.#objects.delete(key);
      this.#virtualServices.delete(key);
      update();
    }
  }

  #remember(entry: CatalogEntry): void {
    this.#forget(entry.key);
    const health = new Map<HealthStatus, number>();
    for (const { healthStatus } of entry.instances) add(health, healthStatus, 1);
    this.#services.set(entry.key, { version: versionOf(entry), health });
    if (health.size === 0) this.#withoutInstances++;
    for (const [status, count] of health) add(this.#health, status, count);
  }

  #forget(key: ServiceKey): void {
    const counted = this.#services.get(key);
    if (counted === undefined) return;
    this.#services.delete(key);
    if (counted.health.size === 0) this.#withoutInstances--;
    for (const [status, count] of counted.health) add(this.#health, status, -count);
  }

  #publish(): void {
    const instruments = this.#instruments;
    instruments.set("pilot_services", this.#services.size);
    instruments.set("pilot_eds_no_instances", this.#withoutInstances);
    instruments.set("pilot_virt_services", this.#virtualServices.size);
    instruments.set("signalbox_catalog_objects", this.#objects.size);
    instruments.set("signalbox_catalog_workloads", this.#workloads.size);
    for (const [status, count] of this.#health)
      instruments.set("signalbox_catalog_instances", count, { health: status.toLowerCase() });
  }
}

function versionOf(entry: CatalogEntry): string {
  return `${entry.versions.service}/${entry.versions.instances}`;
}

function add<K>(counts: Map<K, number>, key: K, value: number): void {
  counts.set(key, (counts.get(key) ?? 0) + value);
}
