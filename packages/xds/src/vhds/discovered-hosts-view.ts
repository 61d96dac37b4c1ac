import { typeUrls, type TypeUrl } from "@signalbox/envoy-api";
import type { ChangedNames, Resource, ResourceView } from "@signalbox/xds-server";
import { ResourceTable } from "../tables.ts";
import { splitTable } from "./split-table.ts";

/** A view that is made of one below, and says what a change of that one changes here. */
interface DerivedView extends ResourceView {
  changedNames(below: ChangedNames): ChangedNames;
}

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
 * is no change. Call `changedNames` for every change of the view below before this one is read again.
 */
export class DiscoveredHostsView implements DerivedView {
  readonly #base: ResourceView | DerivedView;
  #split: Split | undefined;

  constructor(base: ResourceView | DerivedView) {
    this.#base = base;
  }

  /** The view below. */
  get base(): ResourceView {
    return this.#base;
  }

  resources(type: TypeUrl): ReadonlyMap<string, Resource> {
    return this.#of(type)?.resources ?? this.#base.resources(type);
  }

  version(type: TypeUrl): string {
    return this.#of(type)?.version ?? this.#base.version(type);
  }

  changedNames(below: ChangedNames): ChangedNames {
    const changed = new Map(changedIn(this.#base, below));
    const routes = changed.get(typeUrls.route);
    if (this.#split === undefined || routes === undefined) return changed;
    const { hosts, tables } = this.#split;
    for (const name of routes) this.#take(this.#split, name);
    changed.delete(typeUrls.route);
    for (const [type, table] of [
      [typeUrls.route, tables],
      [typeUrls.virtualHost, hosts],
    ] as const) {
      if (table.changed.size > 0) changed.set(type, table.changed);
      table.settle();
    }
    return changed;
  }

  #of(type: TypeUrl): ResourceTable | undefined {
    if (type !== typeUrls.route && type !== typeUrls.virtualHost) return undefined;
    if (this.#split === undefined) {
      this.#split = { tables: new ResourceTable(), hosts: new ResourceTable(), names: new Map() };
      for (const name of this.#base.resources(typeUrls.route).keys()) this.#take(this.#split, name);
      this.#split.tables.settle();
      this.#split.hosts.settle();
    }
    return type === typeUrls.route ? this.#split.tables : this.#split.hosts;
  }

  #take({ hosts, names, tables }: Split, name: string): void {
    const table = this.#base.resources(typeUrls.route).get(name);
    const before = names.get(name) ?? none;
    if (table === undefined) {
      hosts.replace(before, []);
      tables.remove(name);
      names.delete(name);
      return;
    }
    const split = splitTable(table);
    tables.put(split.shell);
    names.set(name, hosts.replace(before, split.hosts));
  }
}

/** What a change below changes in a view; the same names where the view is not made of another one. */
export function changedIn(view: ResourceView | DerivedView, below: ChangedNames): ChangedNames {
  return "changedNames" in view ? view.changedNames(below) : below;
}
