import type { TypeUrl } from "@signalbox/envoy-api";
import type { Resource } from "../resource.ts";
import type { ChangedNames } from "../source.ts";

/** A change of the view, as it was when the stream heard of it. */
export interface ViewChange {
  /** `undefined`: the view is another one. */
  readonly changed: ChangedNames | undefined;
  /** Content of what is gone, by type; `undefined` while the states of the types are still to be brought up to the change. */
  readonly removed: ReadonlyMap<TypeUrl, ReadonlyMap<string, Resource>> | undefined;
  readonly change: number;
  readonly now: number;
}

/** Names. */
const largeChange = 1_000;

/** Whoever tells of such a change, or of another view, has done enough for one turn of the event loop. */
export function isLarge(changed: ChangedNames): boolean {
  let names = 0;
  for (const { size } of changed.values()) names += size;
  return names >= largeChange;
}
