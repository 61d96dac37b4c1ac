import { typeUrls, type TypeUrl } from "@signalbox/envoy-api";
import { atOnce, type Steps } from "@signalbox/slices";
import type { ChangedNames, Resource } from "@signalbox/xds-server";
import { ResourceTable } from "../tables.ts";
import type { StagedView } from "../views.ts";
import { splitting } from "./split-table.ts";

interface Split {
  readonly tables: ResourceTable;
  readonly hosts: ResourceTable;
  /** Names of the virtual hosts of each table. */
  readonly names: Map<string, ReadonlySet<string>>;
}

const none: ReadonlySet<string> = new Set();

/**
 * A view whose route tables have no virtual hosts: these are resources of their own, so that a changed rule costs one of them and not the
 * table. Tables are taken apart when somebody first asks for them; after that a table that changed is looked through, and what is equal in it
 * is no change.
 */
export class DiscoveredHostsView implements StagedView {
  readonly #base: StagedView;
  #split: Split | undefined;
  /** Tables that will change, while nobody had asked for any when it was said. */
  #passed: ReadonlySet<string> = none;

  constructor(base: StagedView) {
    this.#base = base;
  }

  /** The view below. */
  get base(): StagedView {
    return this.#base;
  }

  resources(type: TypeUrl): ReadonlyMap<string, Resource> {
    return this.#of(type)?.resources ?? this.#base.resources(type);
  }

  version(type: TypeUrl): string {
    return this.#of(type)?.version ?? this.#base.version(type);
  }

  next(type: TypeUrl, name: string): Resource | undefined {
    const split = this.#of(type);
    return split === undefined ? this.#base.next(type, name) : split.next(name);
  }

  *changing(below: ChangedNames): Steps<ChangedNames> {
    const changed = new Map(yield* this.#base.changing(below));
    const routes = changed.get(typeUrls.route);
    if (routes === undefined) return changed;
    if (this.#split === undefined) {
      this.#passed = routes;
      return changed;
    }
    const { hosts, tables } = this.#split;
    yield* this.#taking(this.#split, routes);
    changed.delete(typeUrls.route);
    if (tables.changed.size > 0) changed.set(typeUrls.route, tables.changed);
    if (hosts.changed.size > 0) changed.set(typeUrls.virtualHost, hosts.changed);
    return changed;
  }

  settle(): void {
    this.#base.settle();
    if (this.#split !== undefined) {
      atOnce(this.#taking(this.#split, this.#passed));
      this.#split.tables.settle();
      this.#split.hosts.settle();
    }
    this.#passed = none;
  }

  #of(type: TypeUrl): ResourceTable | undefined {
    if (type !== typeUrls.route && type !== typeUrls.virtualHost) return undefined;
    if (this.#split === undefined) {
      // Somebody reads: what is staged below is not to be seen yet.
      this.#split = newSplit();
      for (const [name, table] of this.#base.resources(typeUrls.route)) atOnce(take(this.#split, name, table));
      this.#split.tables.settle();
      this.#split.hosts.settle();
    }
    return type === typeUrls.route ? this.#split.tables : this.#split.hosts;
  }

  *#taking(split: Split, names: Iterable<string>): Steps<undefined> {
    for (const name of names) yield* take(split, name, this.#base.next(typeUrls.route, name));
    return undefined;
  }
}

function newSplit(): Split {
  return { tables: new ResourceTable(), hosts: new ResourceTable(), names: new Map() };
}

/** Brings one table up to date. */
function* take({ hosts, names, tables }: Split, name: string, table: Resource | undefined): Steps<undefined> {
  const before = names.get(name) ?? none;
  if (table === undefined) {
    hosts.replace(before, []);
    tables.remove(name);
    names.delete(name);
    return undefined;
  }
  const split = yield* splitting(table);
  tables.put(split.shell);
  names.set(name, hosts.replace(before, split.hosts));
  yield;
  return undefined;
}
