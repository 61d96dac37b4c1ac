import type { TypeUrl } from "@signalbox/envoy-api";
import type { Node } from "@signalbox/envoy-api/envoy/config/core/v3/base";
import type { Resource, ResourceChange, ResourceView } from "./resource.ts";
import { SetVersion } from "./set-version.ts";
import type { ChangedNames, ResourceSource, ViewLease } from "./source.ts";

/** All resources of one group, by type. A type that is absent has no resources. */
export type Snapshot = ReadonlyMap<TypeUrl, Iterable<Resource>>;

/** Options of `SnapshotCache`. */
export interface SnapshotCacheOptions {
  /** Which group a node belongs to. The node's id by default, so that each client has its own resources. */
  readonly groupOf?: (node: Node) => string;
}

interface TypeResources {
  readonly byName: Map<string, Resource>;
  readonly version: SetVersion;
}

const noResources: ReadonlyMap<string, Resource> = new Map();
const emptyVersion = new SetVersion().toString();

class GroupView implements ResourceView {
  readonly #types = new Map<TypeUrl, TypeResources>();

  resources(type: TypeUrl): ReadonlyMap<string, Resource> {
    return this.#types.get(type)?.byName ?? noResources;
  }

  version(type: TypeUrl): string {
    return this.#types.get(type)?.version.toString() ?? emptyVersion;
  }

  types(): Iterable<TypeUrl> {
    return this.#types.keys();
  }

  /** Applies one change; returns the names that are different afterwards. */
  apply(type: TypeUrl, change: ResourceChange): Set<string> {
    let resources = this.#types.get(type);
    if (resources === undefined) {
      resources = { byName: new Map(), version: new SetVersion() };
      this.#types.set(type, resources);
    }
    const { byName, version } = resources;
    const changed = new Set<string>();
    for (const name of change.removed) {
      const before = byName.get(name);
      if (before === undefined) continue;
      byName.delete(name);
      version.remove(before);
      changed.add(name);
    }
    for (const resource of change.upserted) {
      const before = byName.get(resource.name);
      if (before?.version === resource.version) continue;
      byName.set(resource.name, resource);
      version.replace(before, resource);
      changed.add(resource.name);
    }
    return changed;
  }
}

interface Group {
  view: GroupView | undefined;
  readonly watchers: Set<(changed: ChangedNames | undefined) => void>;
}

/**
 * Resources by group of clients, in memory. Clients of one group share one view, so a response is encoded once for all
 * of them. Watchers are called before the changing call returns; equal content wakes nobody.
 */
export class SnapshotCache implements ResourceSource {
  readonly #groupOf: (node: Node) => string;
  readonly #groups = new Map<string, Group>();

  constructor(options: SnapshotCacheOptions = {}) {
    this.#groupOf = options.groupOf ?? ((node) => node.id);
  }

  /** Makes `snapshot` all that the group has. Only what differs by version is announced. */
  setSnapshot(group: string, snapshot: Snapshot): void {
    const view = this.#groups.get(group)?.view;
    const changes = new Map<TypeUrl, ResourceChange>();
    for (const [type, resources] of snapshot) {
      const upserted = [...resources];
      const names = new Set(upserted.map((resource) => resource.name));
      const removed = [...(view?.resources(type).keys() ?? [])].filter((name) => !names.has(name));
      changes.set(type, { upserted, removed });
    }
    for (const type of view?.types() ?? []) {
      if (!changes.has(type)) changes.set(type, { upserted: [], removed: [...(view?.resources(type).keys() ?? [])] });
    }
    this.update(group, changes);
  }

  /**
   * Changes some resources of a group, of all types at once: clients see all of it or nothing. The work is that of the
   * change. A name both removed and upserted is upserted. The first update of a group creates it.
   */
  update(group: string, changes: ReadonlyMap<TypeUrl, ResourceChange>): void {
    const entry = this.#group(group);
    const created = entry.view === undefined;
    const view = (entry.view ??= new GroupView());
    const changed = new Map<TypeUrl, ReadonlySet<string>>();
    for (const [type, change] of changes) {
      const names = view.apply(type, change);
      if (names.size > 0) changed.set(type, names);
    }
    if (created) notify(entry, undefined);
    else if (changed.size > 0) notify(entry, changed);
  }

  /** Forgets a group: its clients keep what they have and get nothing more until there is a snapshot again. */
  clearSnapshot(group: string): void {
    const entry = this.#groups.get(group);
    if (entry?.view === undefined) return;
    entry.view = undefined;
    notify(entry, undefined);
    this.#dropUnused(group, entry);
  }

  /** What a group has now; `undefined` when it was never set or was cleared. */
  view(group: string): ResourceView | undefined {
    return this.#groups.get(group)?.view;
  }

  acquire(node: Node, onChange: (changed: ChangedNames | undefined) => void): ViewLease {
    const group = this.#groupOf(node);
    const entry = this.#group(group);
    const watcher = (changed: ChangedNames | undefined): void => onChange(changed);
    entry.watchers.add(watcher);
    return {
      current: () => entry.view,
      release: () => {
        entry.watchers.delete(watcher);
        this.#dropUnused(group, entry);
      },
    };
  }

  #group(group: string): Group {
    let entry = this.#groups.get(group);
    if (entry === undefined) {
      entry = { view: undefined, watchers: new Set() };
      this.#groups.set(group, entry);
    }
    return entry;
  }

  #dropUnused(group: string, entry: Group): void {
    if (entry.view === undefined && entry.watchers.size === 0 && this.#groups.get(group) === entry) {
      this.#groups.delete(group);
    }
  }
}

/** Over a copy: a watcher may release itself or others while it is called. */
function notify(entry: Group, changed: ChangedNames | undefined): void {
  for (const watcher of [...entry.watchers]) if (entry.watchers.has(watcher)) watcher(changed);
}
