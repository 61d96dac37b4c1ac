import type { Node } from "@signalbox/envoy-api/envoy/config/core/v3/base";
import type { SnapshotCache } from "../snapshot-cache.ts";
import type { ChangedNames, ResourceSource, ViewLease } from "../source.ts";

/** A source that moves all its clients from one group of a cache to another, as a control plane does when scopes change. */
export class SwitchingSource implements ResourceSource {
  readonly #cache: SnapshotCache;
  readonly #moves = new Set<() => void>();
  #group: string;

  constructor(cache: SnapshotCache, group: string) {
    this.#cache = cache;
    this.#group = group;
  }

  get group(): string {
    return this.#group;
  }

  /** Clients see another group from now on. They are told one after the other. */
  switchTo(group: string): void {
    this.#group = group;
    for (const move of [...this.#moves]) move();
  }

  acquire(node: Node, onChange: (changed: ChangedNames | undefined) => void): ViewLease {
    let inner = this.#cache.acquire({ ...node, id: this.#group }, onChange);
    const move = (): void => {
      inner.release();
      inner = this.#cache.acquire({ ...node, id: this.#group }, onChange);
      onChange(undefined);
    };
    this.#moves.add(move);
    return {
      current: () => inner.current(),
      release: () => {
        this.#moves.delete(move);
        inner.release();
      },
    };
  }
}
