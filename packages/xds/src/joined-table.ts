import type { Resource, SetVersion } from "@signalbox/xds-server";
import type { Table } from "./tables.ts";
import { LayeredMap } from "./views.ts";

/** Two tables read as one. They never name the same resource. */
export class JoinedTable implements Table {
  readonly #one: Table;
  readonly #other: Table;
  readonly resources: ReadonlyMap<string, Resource>;

  constructor(one: Table, other: Table) {
    this.#one = one;
    this.#other = other;
    this.resources = new LayeredMap(one.resources, other.resources);
  }

  get version(): string {
    return this.#other.resources.size === 0 ? this.#one.version : this.setVersion.toString();
  }

  get setVersion(): SetVersion {
    const version = this.#one.setVersion.copy();
    for (const resource of this.#other.resources.values()) version.add(resource);
    return version;
  }

  get changed(): ReadonlySet<string> {
    if (this.#other.changed.size === 0) return this.#one.changed;
    return new Set([...this.#one.changed, ...this.#other.changed]);
  }

  next(name: string): Resource | undefined {
    return this.#other.next(name) ?? this.#one.next(name);
  }

  settle(): void {
    this.#one.settle();
    this.#other.settle();
  }
}
