import { SetVersion, type Resource } from "@signalbox/xds-server";

/** What a view reads of a table. */
export interface Table {
  readonly resources: ReadonlyMap<string, Resource>;
  readonly version: string;
  /** The set version, for adding more to it. Copy before changing. */
  readonly setVersion: SetVersion;
  /** Names that changed since `settle`. */
  readonly changed: ReadonlySet<string>;
  /** Forgets what changed, once everybody has read it. */
  settle(): void;
}

/** Resources of one type that clients of equal scope share, with their set version and what changed since it was asked. */
export class ResourceTable implements Table {
  readonly #resources = new Map<string, Resource>();
  readonly #version = new SetVersion();
  #changed = new Set<string>();

  get resources(): ReadonlyMap<string, Resource> {
    return this.#resources;
  }

  get version(): string {
    return this.#version.toString();
  }

  get changed(): ReadonlySet<string> {
    return this.#changed;
  }

  get setVersion(): SetVersion {
    return this.#version;
  }

  /** Stores a resource. Equal content is no change. */
  put(resource: Resource): void {
    const before = this.#resources.get(resource.name);
    if (before?.version === resource.version) return;
    this.#version.replace(before, resource);
    this.#resources.set(resource.name, resource);
    this.#changed.add(resource.name);
  }

  /** Forgets a resource. */
  remove(name: string): void {
    const before = this.#resources.get(name);
    if (before === undefined) return;
    this.#version.remove(before);
    this.#resources.delete(name);
    this.#changed.add(name);
  }

  /** Stores these and removes those of `before` that are not among them. Returns the names that are held now. */
  replace(before: ReadonlySet<string>, next: readonly Resource[]): ReadonlySet<string> {
    const names = new Set(next.map(({ name }) => name));
    for (const name of before) if (!names.has(name)) this.remove(name);
    for (const resource of next) this.put(resource);
    return names;
  }

  settle(): void {
    if (this.#changed.size > 0) this.#changed = new Set();
  }
}
