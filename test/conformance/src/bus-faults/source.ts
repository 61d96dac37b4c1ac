import { serviceRecord, MemorySource } from "@signalbox/registry/conformance";
import type { Catalog } from "@signalbox/model";
import { serviceKey } from "@signalbox/model";
import { permanentServices } from "./steps.ts";
import type { Change } from "./steps.ts";

/** The services as they really are, which every writer discovers. */
export class Truth {
  readonly source = new MemorySource();
  /** Hostname to what is in its label `generation`. */
  readonly #generations = new Map<string, string>();
  readonly #everRemoved = new Set<string>();
  #generation = 0;

  constructor() {
    for (let service = 0; service < permanentServices; service++) this.change({ service, endpoints: 2 });
  }

  change({ endpoints, service }: Change): void {
    const hostname = `service-${service}.example`;
    const generation = String(++this.#generation);
    const record = serviceRecord({
      hostname,
      labels: { generation },
      instances: Array.from({ length: endpoints }, (_, index) => `10.${service}.${index >> 8}.${index & 255}`),
    });
    if (endpoints === 0) {
      this.source.remove(serviceKey(record.service));
      this.#generations.delete(hostname);
      this.#everRemoved.add(hostname);
    } else {
      this.source.set(record);
      this.#generations.set(hostname, generation);
    }
  }

  /** Whether a service was never removed since it came. */
  isPermanent(hostname: string): boolean {
    return this.#generations.has(hostname) && !this.#everRemoved.has(hostname);
  }

  /** Whether a catalog says exactly what is true now. */
  isShownBy(catalog: Catalog): boolean {
    if (catalog.entries.size !== this.#generations.size) return false;
    return [...catalog.entries.values()].every(
      ({ service }) => this.#generations.get(service.hostname) === service.labels["generation"],
    );
  }
}
