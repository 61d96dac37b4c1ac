import { atOnce, each, type Steps } from "@signalbox/slices";
import { endpointNameOf } from "../references.ts";
import type { Resource } from "../resource.ts";
import type { SharedNames } from "./names.ts";
import type { Outgoing } from "./outgoing.ts";
import { warmingSetOf, type WarmingSet } from "./warming-set.ts";

/** Which endpoints a client asks for. */
export interface AskedEndpoints {
  covers(name: string): boolean;
  /** The names, where they are a set that equal subscriptions share; `undefined` also for everything. */
  readonly sharedNames: SharedNames | undefined;
}

/** Shorter lists are walked faster than they are found. */
const sharedClusters = 64;

/** Reads the names of the endpoints of the clusters in a response, in steps, so that they are known when it is written. */
export function* withEndpointNames(making: Steps<Outgoing | undefined>): Steps<Outgoing | undefined> {
  const outgoing = yield* making;
  if (outgoing !== undefined && "frame" in outgoing) {
    yield* each(outgoing.fresh, endpointNameOf);
    if (outgoing.fresh.length >= sharedClusters) yield* warmingSetOf(outgoing.fresh);
  }
  return outgoing;
}

/**
 * Endpoint names that one client waits for. A cluster that is new or changed at an Envoy is in warming until its
 * endpoints come, also when they did not change and also when Envoy does not ask for them again (delta). So the server
 * lets endpoints follow their cluster. Source: Envoy's xDS protocol documentation, "Resource warming".
 *
 * A client that comes new waits for all that it was sent, which is what others wait for that come new: such a client has
 * only the shared set, and a copy of its own from the first step that is not everybody's.
 */
export class Warming {
  #shared: WarmingSet | undefined;
  /** Clusters by the name of their endpoints. */
  #clusters = new Map<string, Set<string>>();
  #endpointOf = new Map<string, string>();

  /** Names whose cluster was sent and whose endpoints were not, since. */
  get names(): { readonly size: number; has(name: string): boolean } {
    return this.#shared?.names ?? this.#clusters;
  }

  /**
   * These clusters were sent. Returns the names of their endpoints. Only what is asked for is waited for (`undefined`:
   * all of it): what the client asks for later is sent because it asks.
   */
  clustersSent(clusters: readonly Resource[], asked: AskedEndpoints | undefined): ReadonlySet<string> {
    if (clusters.length >= sharedClusters && this.names.size === 0) {
      const set = atOnce(warmingSetOf(clusters));
      if (asked === undefined || (asked.sharedNames !== undefined && atOnce(set.isAsked(asked.sharedNames.names)))) {
        this.#shared = set;
        return set.names;
      }
    }
    this.#own();
    const sent = new Set<string>();
    for (const cluster of clusters) {
      this.#forget(cluster.name);
      const name = endpointNameOf(cluster);
      if (name === undefined) continue;
      sent.add(name);
      if (asked === undefined || asked.covers(name)) wait(this.#clusters, this.#endpointOf, cluster.name, name);
    }
    return sent;
  }

  /** The client was told that these clusters are gone. */
  clustersGone(clusters: readonly string[]): void {
    if (clusters.length === 0) return;
    this.#own();
    for (const cluster of clusters) this.#forget(cluster);
  }

  /** Finds out in steps what will be asked of the endpoints in a response when it is written. */
  *withSent(making: Steps<Outgoing | undefined>): Steps<Outgoing | undefined> {
    const outgoing = yield* making;
    const shared = this.#shared;
    if (shared !== undefined && outgoing !== undefined && "frame" in outgoing) yield* shared.isIn(outgoing.fresh);
    return outgoing;
  }

  /** Gets ready in steps for a client that will ask for the endpoints of these names. What it waits for stays the same. */
  *preparing(names: ReadonlySet<string>): Steps<void> {
    if (this.#shared !== undefined && !(yield* this.#shared.isAsked(names))) yield* this.#becomesOwn();
  }

  /** These endpoints were sent. */
  endpointsSent(endpoints: readonly Resource[]): void {
    if (this.names.size === 0) return;
    if (this.#shared !== undefined && atOnce(this.#shared.isIn(endpoints))) this.#shared = undefined;
    else {
      this.#own();
      for (const { name } of endpoints) this.#drop(name);
    }
  }

  /** The client asks for other endpoints than before. */
  endpointsAsked(asked: AskedEndpoints): void {
    if (this.#shared !== undefined) {
      if (asked.sharedNames !== undefined && atOnce(this.#shared.isAsked(asked.sharedNames.names))) return;
      this.#own();
    }
    for (const name of this.#clusters.keys()) if (!asked.covers(name)) this.#drop(name);
  }

  /** From here on this client is not like the others. */
  #own(): void {
    atOnce(this.#becomesOwn());
  }

  /** The client waits for the same before and after; nothing is changed but with the last step. */
  *#becomesOwn(): Steps<void> {
    const shared = this.#shared;
    if (shared === undefined) return;
    const clusters = new Map<string, Set<string>>();
    const endpointOf = new Map<string, string>();
    yield* each(shared.clusters, (cluster) => {
      const name = endpointNameOf(cluster);
      if (name !== undefined) wait(clusters, endpointOf, cluster.name, name);
    });
    if (this.#shared !== shared) return;
    this.#shared = undefined;
    this.#clusters = clusters;
    this.#endpointOf = endpointOf;
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

function wait(
  clusters: Map<string, Set<string>>,
  endpointOf: Map<string, string>,
  cluster: string,
  name: string,
): void {
  const waiting = clusters.get(name) ?? new Set();
  clusters.set(name, waiting.add(cluster));
  endpointOf.set(cluster, name);
}
