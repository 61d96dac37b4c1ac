import type { TypeUrl } from "@signalbox/envoy-api";
import { SetVersion, type Resource, type ResourceView } from "@signalbox/xds-server";
import type { Table } from "./tables.ts";

const nothing: ReadonlyMap<string, Resource> = new Map();
const emptyVersion = new SetVersion().toString();

/** Tables of several types as one view. Equal scope, same object. */
export class TableView implements ResourceView {
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
}

/** A few resources on top of a shared view. The names on top must not be in the view below. */
export class LayeredView implements ResourceView {
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
