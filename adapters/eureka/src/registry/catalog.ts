import {
  byCodeUnit,
  canonicalJson,
  serviceKey,
  type RegistryId,
  type ServiceKey,
  type ServiceRecord,
} from "@signalbox/model";
import type { Logger, Metrics, RegistryUpdate } from "@signalbox/registry";
import { instanceKeyOf, type EurekaInstance } from "../client/answer.ts";
import type { EurekaConfig } from "../config.ts";
import { convertService } from "../convert.ts";
import type { EurekaFault } from "../convert/endpoint.ts";
import { servicesOf } from "../convert/names.ts";
import type { LedgerChange } from "./ledger.ts";

/** What the catalog needs. */
export interface CatalogOptions {
  readonly config: EurekaConfig;
  readonly registry: RegistryId;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

/** The services made of the instances, and what was said of them. */
export class Catalog {
  readonly #options: CatalogOptions;
  readonly #services = new Map<string, Map<string, EurekaInstance>>();
  readonly #told = new Map<string, ServiceRecord>();
  readonly #faults = new Map<string, string>();
  #synced = false;

  constructor(options: CatalogOptions) {
    this.#options = options;
  }

  /** Takes changes of instances. Returns what to push: a snapshot the first time, then what is different; else nothing. */
  apply(changes: readonly LedgerChange[]): RegistryUpdate | undefined {
    const upserted: ServiceRecord[] = [];
    const removed: ServiceKey[] = [];
    for (const name of this.#touched(changes)) {
      const before = this.#told.get(name);
      const now = this.#convert(name);
      if (now === undefined) {
        this.#told.delete(name);
        if (before !== undefined) removed.push(serviceKey(before.service));
      } else if (before === undefined || canonicalJson(before) !== canonicalJson(now)) {
        this.#told.set(name, now);
        upserted.push(now);
      }
    }
    if (!this.#synced) {
      this.#synced = true;
      return { type: "snapshot", records: upserted };
    }
    if (upserted.length === 0 && removed.length === 0) return undefined;
    return { type: "delta", records: { upserted, removed } };
  }

  /** Moves the instances to where they belong now, and returns the names of the services that this touches, sorted. */
  #touched(changes: readonly LedgerChange[]): readonly string[] {
    const { config } = this.#options;
    const names = new Set<string>();
    for (const { before, now } of changes) {
      for (const name of before === undefined ? [] : servicesOf(before, config).keys()) {
        names.add(name);
        if (before !== undefined) this.#services.get(name)?.delete(instanceKeyOf(before));
      }
      for (const name of now === undefined ? [] : servicesOf(now, config).keys()) {
        names.add(name);
        const service = this.#services.get(name) ?? new Map<string, EurekaInstance>();
        this.#services.set(name, service);
        if (now !== undefined) service.set(instanceKeyOf(now), now);
      }
    }
    return [...names].sort(byCodeUnit);
  }

  #convert(name: string): ServiceRecord | undefined {
    const { config, registry } = this.#options;
    const instances = [...(this.#services.get(name)?.values() ?? [])];
    if (instances.length === 0) this.#services.delete(name);
    const { record, faults } = convertService(name, instances, { config, registry });
    this.#report(name, faults);
    return record;
  }

  /** Counts and tells faults when they are new, not in every round. */
  #report(name: string, faults: readonly EurekaFault[]): void {
    const { logger, metrics } = this.#options;
    const text = faults.map(({ instance, what, message }) => `${instance} ${what} ${message}`).join("\n");
    if (text === (this.#faults.get(name) ?? "")) return;
    if (text === "") this.#faults.delete(name);
    else this.#faults.set(name, text);
    for (const { what } of faults) metrics.counter("eureka_rejected_total", { what });
    for (const fault of faults.slice(0, 10)) logger.warn("eureka-instance-faulty", fault);
  }
}
