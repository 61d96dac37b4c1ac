import type { TypeUrl } from "@signalbox/envoy-api";
import type { Steps } from "@signalbox/slices";
import { SetVersion, type ChangedNames, type Resource, type ResourceView } from "@signalbox/xds-server";
import type { Table } from "./tables.ts";

/** A view of tables that stage their changes. It shows these when the tables settle, or when it does itself where it is made of another view. */
export interface StagedView extends ResourceView {
  /** The resource that this name will be. */
  next(type: TypeUrl, name: string): Resource | undefined;
  /** What staged changes of the tables below come to here, in steps. Stages them here, too. */
  changing(below: ChangedNames): Steps<ChangedNames>;
  /** Shows what is staged. */
  settle(): void;
}

const nothing: ReadonlyMap<string, Resource> = new Map();
const emptyVersion = new SetVersion().toString();

/** Tables of several types as one view. Equal scope, same object. */
export class TableView implements StagedView {
  readonly tables: ReadonlyMap<TypeUrl, Table>;

  constructor(tables: ReadonlyMap<TypeUrl, Table>) {
    this.tables = tables;
  }

  resources(type: TypeUrl): ReadonlyMap<string, Resource> {
    return this.tables.get(type)?.resources ?? nothing;
  }

  version(type: TypeUrl): string {
    return this.tables.get(type)?.version ?? emptyVersion;
  }

  next(type: TypeUrl, name: string): Resource | undefined {
    return this.tables.get(type)?.next(name);
  }

  /** The same names: nothing is made of the tables. */
  // eslint-disable-next-line require-yield -- there is nothing to do
  *changing(below: ChangedNames): Steps<ChangedNames> {
    return below;
  }

  settle(): void {
    for (const table of this.tables.values()) table.settle();
  }
}

/** A few resources on top of a shared view. The names on top must not be in the view below. */
export class LayeredView implements StagedView {
  readonly #base: TableView;
  readonly #top: ReadonlyMap<TypeUrl, ReadonlyMap<string, Resource>>;
  readonly #layers: ReadonlyMap<TypeUrl, ReadonlyMap<string, Resource>>;

  constructor(base: TableView, top: ReadonlyMap<TypeUrl, readonly Resource[]>) {
    this.#base = base;
    this.#top = new Map([...top].map(([type, resources]) => [type, new Map(resources.map((one) => [one.name, one]))]));
    this.#layers = new Map(
      [...this.#top].map(([type, resources]) => [type, new LayeredMap(base.resources(type), resources)]),
    );
  }

  resources(type: TypeUrl): ReadonlyMap<string, Resource> {
    return this.#layers.get(type) ?? this.#base.resources(type);
  }

  version(type: TypeUrl): string {
    const top = this.#top.get(type);
    const below = this.#base.tables.get(type);
    if (top === undefined || top.size === 0) return this.#base.version(type);
    const version = below === undefined ? new SetVersion() : below.setVersion.copy();
    for (const resource of top.values()) version.add(resource);
    return version.toString();
  }

  next(type: TypeUrl, name: string): Resource | undefined {
    return this.#top.get(type)?.get(name) ?? this.#base.next(type, name);
  }

  changing(below: ChangedNames): Steps<ChangedNames> {
    return this.#base.changing(below);
  }

  settle(): void {
    this.#base.settle();
  }
}

/** Two maps read as one, without a copy. The upper one wins; what is hidden of the lower one is not there. */
export class LayeredMap<K, V> implements ReadonlyMap<K, V> {
  readonly #base: ReadonlyMap<K, V>;
  readonly #top: ReadonlyMap<K, V>;
  readonly #hidden: ReadonlySet<K>;

  constructor(base: ReadonlyMap<K, V>, top: ReadonlyMap<K, V>, hidden: ReadonlySet<K> = new Set()) {
    this.#base = base;
    this.#top = top;
    this.#hidden = hidden;
  }

  get size(): number {
    let size = this.#base.size;
    for (const key of this.#hidden) if (this.#base.has(key)) size--;
    for (const key of this.#top.keys()) if (!this.#base.has(key) || this.#hidden.has(key)) size++;
    return size;
  }

  get(key: K): V | undefined {
    if (this.#top.has(key)) return this.#top.get(key);
    return this.#hidden.has(key) ? undefined : this.#base.get(key);
  }

  has(key: K): boolean {
    return this.#top.has(key) || (!this.#hidden.has(key) && this.#base.has(key));
  }

  *entries(): MapIterator<[K, V]> {
    for (const entry of this.#base.entries()) if (!this.#top.has(entry[0]) && !this.#hidden.has(entry[0])) yield entry;
    yield* this.#top.entries();
  }

  *keys(): MapIterator<K> {
    for (const [key] of this.entries()) yield key;
  }

  *values(): MapIterator<V> {
    for (const [, value] of this.entries()) yield value;
  }

  [Symbol.iterator](): MapIterator<[K, V]> {
    return this.entries();
  }

  forEach(callback: (value: V, key: K, map: ReadonlyMap<K, V>) => void): void {
    for (const [key, value] of this.entries()) callback(value, key, this);
  }
}
