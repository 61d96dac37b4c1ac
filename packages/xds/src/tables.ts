import { SetVersion, type Resource } from "@signalbox/xds-server";

/**
 * What a view reads of a table. While an event is taken in, changes are staged: `resources` and `version` stay as they were until `settle`, so
 * that who reads meanwhile sees the old state.
 */
export interface Table {
  readonly resources: ReadonlyMap<string, Resource>;
  readonly version: string;
  /** The set version, for adding more to it. Copy before changing. */
  readonly setVersion: SetVersion;
  /** Names that `settle` will change. */
  readonly changed: ReadonlySet<string>;
  /** The resource that this name will be after `settle`. */
  next(name: string): Resource | undefined;
  /** Shows what is staged. What was `changed` before keeps its names for whoever has it. */
  settle(): void;
}

/** Resources of one type that clients of equal scope share, with their set version. */
export class ResourceTable implements Table {
  readonly #resources = new Map<string, Resource>();
  #version = new SetVersion();
  /** What these names will be. */
  readonly #staged = new Map<string, Resource | undefined>();
  #stagedVersion: SetVersion | undefined;
  /** Nobody can have read it before it is settled for the first time: until then there is nothing to stage. */
  #isNew = true;
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

  next(name: string): Resource | undefined {
    return this.#staged.get(name) ?? (this.#staged.has(name) ? undefined : this.#resources.get(name));
  }

  /** Stores a resource. Equal content is no change. */
  put(resource: Resource): void {
    const before = this.next(resource.name);
    if (before?.version === resource.version) return;
    this.#stage(resource.name, before, resource);
  }

  /** Forgets a resource. */
  remove(name: string): void {
    const before = this.next(name);
    if (before !== undefined) this.#stage(name, before, undefined);
  }

  #stage(name: string, before: Resource | undefined, after: Resource | undefined): void {
    if (this.#isNew) {
      this.#version.replace(before, after);
      this.#show(name, after);
      return;
    }
    this.#stagedVersion ??= this.#version.copy();
    this.#stagedVersion.replace(before, after);
    this.#staged.set(name, after);
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
    this.#isNew = false;
    if (this.#staged.size === 0) return;
    for (const [name, resource] of this.#staged) this.#show(name, resource);
    this.#version = this.#stagedVersion ?? this.#version;
    this.#stagedVersion = undefined;
    this.#staged.clear();
    this.#changed = new Set();
  }

  #show(name: string, resource: Resource | undefined): void {
    if (resource === undefined) this.#resources.delete(name);
    else this.#resources.set(name, resource);
  }
}
