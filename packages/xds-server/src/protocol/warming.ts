import { endpointNameOf } from "../references.ts";
import type { Resource } from "../resource.ts";

/**
 * Endpoint names that one client waits for. A cluster that is new or changed at an Envoy is in warming until its
 * endpoints come, also when they did not change and also when Envoy does not ask for them again (delta). So the server
 * lets endpoints follow their cluster. Source: Envoy's xDS protocol documentation, "Resource warming".
 */
export class Warming {
  readonly #names = new Set<string>();

  /** Names whose cluster was sent and whose endpoints were not, since. */
  get names(): ReadonlySet<string> {
    return this.#names;
  }

  /** These clusters were sent. Returns the names of their endpoints. */
  clustersSent(clusters: readonly Resource[]): ReadonlySet<string> {
    const sent = new Set<string>();
    for (const cluster of clusters) {
      const name = endpointNameOf(cluster);
      if (name !== undefined) sent.add(name);
    }
    for (const name of sent) this.#names.add(name);
    return sent;
  }

  /** These endpoints were sent. */
  endpointsSent(endpoints: readonly Resource[]): void {
    for (const { name } of endpoints) this.#names.delete(name);
  }
}
