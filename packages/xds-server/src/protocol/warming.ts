import { endpointNameOf } from "../references.ts";
import type { Resource } from "../resource.ts";

/**
 * Endpoint names that one client waits for. A cluster that is new or changed at an Envoy is in warming until its
 * endpoints come, also when they did not change and also when Envoy does not ask for them again (delta). So the server
 * lets endpoints follow their cluster. Source: Envoy's xDS protocol documentation, "Resource warming".
 */
export class Warming {
  /** Clusters by the name of their endpoints. */
  readonly #clusters = new Map<string, Set<string>>();
  readonly #endpointOf = new Map<string, string>();

  /** Names whose cluster was sent and whose endpoints were not, since. */
  get names(): { readonly size: number; has(name: string): boolean } {
    return this.#clusters;
  }

  /**
   * These clusters were sent. Returns the names of their endpoints. Only what `covers` takes is waited for: what the
   * client asks for later is sent because it asks.
   */
  clustersSent(clusters: readonly Resource[], covers: (name: string) => boolean): ReadonlySet<string> {
    const sent = new Set<string>();
    for (const cluster of clusters) {
      this.#forget(cluster.name);
      const name = endpointNameOf(cluster);
      if (name === undefined) continue;
      sent.add(name);
      if (covers(name)) this.#wait(cluster.name, name);
    }
    return sent;
  }

  /** The client was told that these clusters are gone. */
  clustersGone(clusters: Iterable<string>): void {
    for (const cluster of clusters) this.#forget(cluster);
  }

  /** These endpoints were sent. */
  endpointsSent(endpoints: readonly Resource[]): void {
    for (const { name } of endpoints) this.#drop(name);
  }

  /** The client asks for other endpoints than before. */
  endpointsAsked(covers: (name: string) => boolean): void {
    for (const name of this.#clusters.keys()) if (!covers(name)) this.#drop(name);
  }

  #wait(cluster: string, name: string): void {
    const clusters = this.#clusters.get(name) ?? new Set();
    this.#clusters.set(name, clusters.add(cluster));
    this.#endpointOf.set(cluster, name);
  }

  #drop(name: string): void {
    for (const cluster of this.#clusters.get(name) ?? []) this.#endpointOf.delete(cluster);
    this.#clusters.delete(name);
  }

  #forget(cluster: string): void {
    const name = this.#endpointOf.get(cluster);
    if (name === undefined) return;
    this.#endpointOf.delete(cluster);
    const clusters = this.#clusters.get(name);
    clusters?.delete(cluster);
    if (clusters?.size === 0) this.#clusters.delete(name);
  }
}
