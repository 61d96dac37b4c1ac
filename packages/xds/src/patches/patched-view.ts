import type { TypeUrl } from "@signalbox/envoy-api";
import { atOnce, type Steps } from "@signalbox/slices";
import type { ChangedNames, Resource } from "@signalbox/xds-server";
import { ResourceTable } from "../tables.ts";
import type { StagedView } from "../views.ts";
import type { PatchFault } from "./compile.ts";
import { extensionConfigType, type Patcher } from "./patcher.ts";

interface PatchedType {
  readonly table: ResourceTable;
  readonly faults: Map<string, readonly PatchFault[]>;
}

/**
 * A view with patches on top. A type is patched as a whole when it is first asked for; after that a change costs what changed. A resource that a patch brings gives way to one
 * of its name below.
 */
export class PatchedView implements StagedView {
  readonly #base: StagedView;
  readonly #patcher: Patcher;
  readonly #types = new Map<TypeUrl, PatchedType>();
  /** Names that will change, of types for which nobody had asked when it was said. */
  readonly #passed = new Map<TypeUrl, ReadonlySet<string>>();

  constructor(base: StagedView, patcher: Patcher) {
    this.#base = base;
    this.#patcher = patcher;
  }

  resources(type: TypeUrl): ReadonlyMap<string, Resource> {
    return this.#patcher.concerns(type) ? this.#of(type).table.resources : this.#base.resources(type);
  }

  version(type: TypeUrl): string {
    return this.#patcher.concerns(type) ? this.#of(type).table.version : this.#base.version(type);
  }

  next(type: TypeUrl, name: string): Resource | undefined {
    return this.#patcher.concerns(type) ? this.#of(type).table.next(name) : this.#base.next(type, name);
  }

  /** Resources that are as they were before are left out. */
  *changing(below: ChangedNames): Steps<ChangedNames> {
    const changed = new Map<TypeUrl, ReadonlySet<string>>();
    for (const [type, names] of yield* this.#base.changing(below)) {
      const patched = this.#types.get(type);
      if (patched === undefined) this.#passed.set(type, names);
      else yield* this.#taking(type, patched, names);
      const here = patched === undefined ? names : patched.table.changed;
      if (here.size > 0) changed.set(type, here);
    }
    return changed;
  }

  settle(): void {
    this.#base.settle();
    for (const [type, names] of this.#passed) {
      const patched = this.#types.get(type);
      if (patched !== undefined) atOnce(this.#taking(type, patched, names));
    }
    this.#passed.clear();
    for (const { table } of this.#types.values()) table.settle();
  }

  /** Patches that had no effect on resources of the types that were asked for, resources that kept their unpatched form, and why. */
  get faults(): readonly PatchFault[] {
    return [...this.#types.values()].flatMap(({ faults }) => [...faults.values()].flat());
  }

  #of(type: TypeUrl): PatchedType {
    const known = this.#types.get(type);
    if (known !== undefined) return known;
    // Somebody reads: what is staged below is not to be seen yet.
    const patched = this.#begin(type);
    const below = this.#base.resources(type);
    for (const name of this.#namesBelow(type)) this.#take(type, patched, name, below.get(name));
    patched.table.settle();
    return patched;
  }

  #begin(type: TypeUrl): PatchedType {
    const patched = { table: new ResourceTable(), faults: new Map<string, readonly PatchFault[]>() };
    this.#types.set(type, patched);
    return patched;
  }

  #namesBelow(type: TypeUrl): ReadonlySet<string> {
    return new Set([...this.#base.resources(type).keys(), ...this.#patcher.added(type).keys()]);
  }

  *#taking(type: TypeUrl, patched: PatchedType, names: Iterable<string>): Steps<undefined> {
    for (const name of names) {
      this.#take(type, patched, name, this.#base.next(type, name));
      yield;
    }
    return undefined;
  }

  /** Brings one name up to date with what is below. */
  #take(type: TypeUrl, patched: PatchedType, name: string, below: Resource | undefined): void {
    const result = below === undefined ? undefined : this.#patcher.patch(type, below);
    const own = this.#patcher.added(type).get(name);
    const after = result?.resource ?? own;
    const hidden = result?.resource !== undefined && own !== undefined && type !== extensionConfigType;
    const faults = [
      ...(result?.faults ?? []),
      ...(hidden
        ? [{ object: "", patch: -1, path: name, message: "is there already: what a patch adds is not shown" }]
        : []),
    ];
    if (faults.length === 0) patched.faults.delete(name);
    else patched.faults.set(name, faults);
    if (after === undefined) patched.table.remove(name);
    else patched.table.put(after);
  }
}
