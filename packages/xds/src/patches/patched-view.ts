import type { TypeUrl } from "@signalbox/envoy-api";
import { SetVersion, type ChangedNames, type Resource, type ResourceView } from "@signalbox/xds-server";
import type { PatchFault } from "./compile.ts";
import { extensionConfigType, type Patcher } from "./patcher.ts";

interface PatchedType {
  readonly resources: Map<string, Resource>;
  readonly version: SetVersion;
  readonly faults: Map<string, readonly PatchFault[]>;
}

/**
 * A view with patches on top. A type is patched as a whole when it is first asked for; after that a change costs what changed:
 * call `changedNames` for every change of the view below before this one is read again. A resource that a patch brings gives way to one
 * of its name below.
 */
export class PatchedView implements ResourceView {
  readonly #base: ResourceView;
  readonly #patcher: Patcher;
  readonly #types = new Map<TypeUrl, PatchedType>();

  constructor(base: ResourceView, patcher: Patcher) {
    this.#base = base;
    this.#patcher = patcher;
  }

  resources(type: TypeUrl): ReadonlyMap<string, Resource> {
    return this.#patcher.concerns(type) ? this.#of(type).resources : this.#base.resources(type);
  }

  version(type: TypeUrl): string {
    return this.#patcher.concerns(type) ? this.#of(type).version.toString() : this.#base.version(type);
  }

  /** What changed here when this changed below: resources that are as they were before are left out. */
  changedNames(base: ChangedNames): ChangedNames {
    const changed = new Map<TypeUrl, ReadonlySet<string>>();
    for (const [type, names] of base) {
      const patched = this.#types.get(type);
      const here =
        patched === undefined ? names : new Set([...names].filter((name) => this.#take(type, patched, name)));
      if (here.size > 0) changed.set(type, here);
    }
    return changed;
  }

  /** Patches that had no effect on resources of the types that were asked for, resources that kept their unpatched form, and why. */
  get faults(): readonly PatchFault[] {
    return [...this.#types.values()].flatMap(({ faults }) => [...faults.values()].flat());
  }

  #of(type: TypeUrl): PatchedType {
    let patched = this.#types.get(type);
    if (patched !== undefined) return patched;
    patched = { resources: new Map(), version: new SetVersion(), faults: new Map() };
    for (const name of this.#base.resources(type).keys()) this.#take(type, patched, name);
    for (const name of this.#patcher.added(type).keys()) this.#take(type, patched, name);
    this.#types.set(type, patched);
    return patched;
  }

  /** Brings one name up to date. True if it is another resource now, or there no more. */
  #take(type: TypeUrl, patched: PatchedType, name: string): boolean {
    const below = this.#base.resources(type).get(name);
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
    const before = patched.resources.get(name);
    if (before?.version === after?.version) return false;
    patched.version.replace(before, after);
    if (after === undefined) patched.resources.delete(name);
    else patched.resources.set(name, after);
    return true;
  }
}
