import { HostIndex } from "../host-index.ts";
import { isExportedTo } from "../virtual-service/reach.ts";
import type { AnalyzedService } from "./input.ts";

/** Services by host, as objects of a namespace find them. */
export class Services {
  readonly #index = new HostIndex<AnalyzedService>();

  constructor(services: Iterable<AnalyzedService>) {
    for (const service of services) this.#index.add(service.hostname.toLowerCase(), service);
  }

  /** The services of the most specific host that covers this one and that the namespace sees. Empty where there are none. */
  find(host: string, namespace: string): readonly AnalyzedService[] {
    for (const { values } of this.#index.covering(host)) {
      const seen = [...values].filter((service) => isExportedTo(service.exportTo, service.namespace, namespace));
      if (seen.length > 0) return seen;
    }
    return [];
  }
}
