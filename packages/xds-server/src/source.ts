import type { TypeUrl } from "@signalbox/envoy-api";
import type { Node } from "@signalbox/envoy-api/envoy/config/core/v3/base";
import type { ResourceView } from "./resource.ts";
import type { Peer } from "./transport.ts";

/** Names of resources that changed (upserted or removed) in a view, by type. Nobody changes the sets afterwards: each change has its own. */
export type ChangedNames = ReadonlyMap<TypeUrl, ReadonlySet<string>>;

/** Names, of all types together. */
const largeChange = 1_000;

/** Whether whoever makes such a change, tells of it or takes it in has done enough for one turn of the event loop. */
export function isLargeChange(changed: ChangedNames): boolean {
  let names = 0;
  for (const { size } of changed.values()) names += size;
  return names >= largeChange;
}

/** How a client asks. It decides what the client can be told. */
export interface StreamFacts {
  readonly protocol: "sotw" | "delta";
  /** All types come on one stream (ADS). */
  readonly aggregated: boolean;
}

/** One client's hold on its view. */
export interface ViewLease {
  /**
   * The view as it is now; `undefined` while nothing is known for this node: the server then answers nothing and waits.
   * Clients of equal scope get the same object, and the server shares encoded responses between them.
   */
  current(): ResourceView | undefined;
  release(): void;
}

/** Where the server gets what a client may see. `SnapshotCache` is one; a control plane may bring its own. */
export interface ResourceSource {
  /**
   * Called once for each stream, with the node of its first request. `onChange` is called, never from inside `acquire`,
   * after the view changed, with the names that did; with `undefined` when `current()` became another view. `peer` is who sent the node;
   * without one, the view is for somebody who proved nothing: files, answers by REST, pages for people. `stream` is how the node asks;
   * without it, the view is for somebody who can ask for nothing that only some streams carry.
   */
  acquire(
    node: Node,
    onChange: (changed: ChangedNames | undefined) => void,
    peer?: Peer,
    stream?: StreamFacts,
  ): ViewLease;
}
