import type { SetVersion, Resource } from "@signalbox/xds-server";
import { ResourceTable, type Table } from "./tables.ts";
import { LayeredMap } from "./views.ts";

/** What one part of an overlay put in the place of what. */
export interface Cover {
  /** Names of the table below that are not seen through. */
  readonly hidden: ReadonlySet<string>;
  /** Names of the overlay's own. */
  readonly own: ReadonlySet<string>;
}

const none: ReadonlySet<string> = new Set();

/** A cover of nothing. */
export const uncovered: Cover = { hidden: none, own: none };

/**
 * A shared table with a few differences. Costs what the differences cost: what is equal is neither copied nor walked.
 * Different parts of an overlay never name the same resource. Settle it together with the table below.
 */
export class OverlayTable implements Table {
  readonly resources: ReadonlyMap<string, Resource>;
  readonly own = new ResourceTable();
  readonly #base: ResourceTable;
  readonly #hidden = new Set<string>();
  /** Whether these names will be hidden. */
  readonly #staged = new Map<string, boolean>();

  constructor(base: ResourceTable) {
    this.#base = base;
    this.resources = new LayeredMap(base.resources, this.own.resources, this.#hidden);
  }

  get version(): string {
    return this.#same ? this.#base.version : this.setVersion.toString();
  }

  get setVersion(): SetVersion {
    if (this.#same) return this.#base.setVersion;
    const version = this.#base.setVersion.copy();
    for (const name of this.#hidden) {
      const below = this.#base.resources.get(name);
      if (below !== undefined) version.remove(below);
    }
    for (const resource of this.own.resources.values()) {
      const below = this.#hidden.has(resource.name) ? undefined : this.#base.resources.get(resource.name);
      version.replace(below, resource);
    }
    return version;
  }

  get changed(): ReadonlySet<string> {
    if (this.#same && this.#staged.size === 0 && this.own.changed.size === 0) return this.#base.changed;
    const changed = new Set([...this.own.changed, ...this.#staged.keys()]);
    for (const name of this.#base.changed)
      if (!this.#willHide(name) && this.own.next(name) === undefined) changed.add(name);
    return changed;
  }

  next(name: string): Resource | undefined {
    return this.own.next(name) ?? (this.#willHide(name) ? undefined : this.#base.next(name));
  }

  /** Hides these names of the table below and shows these resources, in the place of what `before` did. */
  cover(before: Cover, hidden: ReadonlySet<string>, resources: readonly Resource[]): Cover {
    for (const name of before.hidden) if (!hidden.has(name)) this.#staged.set(name, false);
    for (const name of hidden) if (!this.#willHide(name)) this.#staged.set(name, true);
    return { hidden, own: this.own.replace(before.own, resources) };
  }

  settle(): void {
    this.own.settle();
    for (const [name, hidden] of this.#staged) {
      if (hidden) this.#hidden.add(name);
      else this.#hidden.delete(name);
    }
    if (this.#staged.size > 0) this.#staged.clear();
  }

  #willHide(name: string): boolean {
    return this.#staged.get(name) ?? this.#hidden.has(name);
  }

  get #same(): boolean {
    return this.#hidden.size === 0 && this.own.resources.size === 0;
  }
}
