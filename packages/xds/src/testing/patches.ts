import { fromBinary, toJson, type JsonValue } from "@bufbuild/protobuf";
import { anyRegistry, type TypeUrl } from "@signalbox/envoy-api";
import { FaultList, readEnvoyFilter } from "@signalbox/istio-objects";
import type { EnvoyPatch } from "@signalbox/traffic";
import { atOnce, type Steps } from "@signalbox/slices";
import { resourceFromJson, SetVersion, type ChangedNames, type Resource } from "@signalbox/xds-server";
import type { PatchContext } from "../patches/match.ts";
import type { StagedView } from "../views.ts";

/** A sidecar of Istio 1.29 without metadata of its own. */
export const sidecar: PatchContext = { router: false, istioVersion: "1.29.0", metadata: {} };

/** The patches of one EnvoyFilter, written as in YAML. */
export function patchesOf(...configPatches: readonly object[]): readonly EnvoyPatch[] {
  const faults = new FaultList();
  const filter = readEnvoyFilter({ configPatches }, [], faults);
  return filter.configPatches.map((patch) => ({ object: "shop/web", patch }));
}

/** A view whose resources can be changed, at once. */
export class ChangingView implements StagedView {
  readonly #types = new Map<TypeUrl, Map<string, Resource>>();

  resources(type: TypeUrl): ReadonlyMap<string, Resource> {
    return this.#types.get(type) ?? new Map<string, Resource>();
  }

  version(type: TypeUrl): string {
    const version = new SetVersion();
    for (const resource of this.resources(type).values()) version.add(resource);
    return version.toString();
  }

  next(type: TypeUrl, name: string): Resource | undefined {
    return this.resources(type).get(name);
  }

  // eslint-disable-next-line require-yield -- there is nothing to do
  *changing(below: ChangedNames): Steps<ChangedNames> {
    return below;
  }

  settle(): void {
    // Nothing is staged.
  }

  put(type: TypeUrl, json: JsonValue): Resource {
    const resource = resourceFromJson(type, json);
    const resources = this.#types.get(type) ?? new Map<string, Resource>();
    this.#types.set(type, resources.set(resource.name, resource));
    return resource;
  }

  remove(type: TypeUrl, name: string): void {
    this.#types.get(type)?.delete(name);
  }
}

/** Has a view take in what changed below; says what changed in it. */
export function changedIn(view: StagedView, below: ChangedNames): ChangedNames {
  const changed = atOnce(view.changing(below));
  view.settle();
  return changed;
}

/** A resource in proto3 JSON. */
export function jsonOf(type: TypeUrl, resource: Resource): JsonValue {
  const schema = anyRegistry.getMessage(type.slice(type.indexOf("/") + 1));
  if (schema === undefined) throw new Error(`unknown type ${type}`);
  return toJson(schema, fromBinary(schema, resource.bytes), { registry: anyRegistry });
}
