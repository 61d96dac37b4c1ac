import { clone, type DescMessage, type MessageShape } from "@bufbuild/protobuf";
import type { Any } from "@bufbuild/protobuf/wkt";
import { targets, textOf, type CompiledPatch, type PatchFault, type PatchTarget } from "./compile.ts";
import { mergeAny, mergeInto } from "./merge.ts";

/** Patches of one proxy and one place, and whether any of them found something. */
export class Placed {
  /** Set by every patch that did something. */
  touched = false;
  /** Patches that could not be merged: what they were for stays as it was. */
  readonly faults: PatchFault[] = [];
  /** EnvoyFilters whose values are in the result. */
  readonly objects = new Set<string>();
  readonly #patches: ReadonlyMap<PatchTarget, readonly CompiledPatch[]>;

  constructor(patches: readonly CompiledPatch[]) {
    const byTarget = new Map<PatchTarget, CompiledPatch[]>();
    for (const patch of patches) {
      const list = byTarget.get(patch.target);
      if (list === undefined) byTarget.set(patch.target, [patch]);
      else list.push(patch);
    }
    this.#patches = byTarget;
  }

  /** The patches of one target, in order. */
  of(target: PatchTarget): readonly CompiledPatch[] {
    return this.#patches.get(target) ?? [];
  }

  /** A copy of what a patch brings, which counts as a change. */
  value<T extends PatchTarget>(target: T, patch: CompiledPatch): MessageShape<(typeof targets)[T]> {
    this.#note(patch);
    const schema: DescMessage = targets[target];
    return clone(schema, patch.value) as MessageShape<(typeof targets)[T]>;
  }

  /** Merges what a patch brings into an object, if it is a merge. */
  merge<T extends PatchTarget>(target: T, patch: CompiledPatch, into: MessageShape<(typeof targets)[T]>): void {
    if (!isMerge(patch)) return;
    this.#note(patch);
    const schema: DescMessage = targets[target];
    mergeInto(schema, into, patch.value, patch.operation === "MERGE" ? "append" : "replace");
  }

  /** A packed message with what a patch has for it. It stays as it is, with a fault, where there is no merge of the two. */
  mergeAny(patch: CompiledPatch, target: Any, source: Any): Any {
    try {
      const merged = mergeAny(target, source);
      this.#note(patch);
      return merged;
    } catch (error) {
      this.faults.push({ object: patch.object, patch: patch.index, path: "patch.value", message: textOf(error) });
      return target;
    }
  }

  #note({ object }: CompiledPatch): void {
    this.touched = true;
    this.objects.add(object);
  }
}

/** One of the two merges? */
export function isMerge({ operation }: CompiledPatch): boolean {
  return operation === "MERGE" || operation === "MERGE_AND_REPLACE_LIST";
}

/** A filter of any kind: a name and a packed configuration. */
interface AnyFilter {
  name: string;
  configType: { case: "typedConfig"; value: Any } | { case: string; value: unknown } | { case: undefined };
}

/**
 * Adds, inserts, replaces and removes filters of one list. An insertion beside no filter in particular goes to the end or the start; a
 * replacement and a removal need a name.
 */
export function rearrange<T extends "NETWORK_FILTER" | "HTTP_FILTER" | "LISTENER_FILTER">(
  placed: Placed,
  target: T,
  patch: CompiledPatch,
  filters: MessageShape<(typeof targets)[T]>[],
  name: string | undefined,
): void {
  const value = () => placed.value(target, patch);
  const index = name === undefined ? -1 : filters.findIndex((filter) => filter.name === name);
  switch (patch.operation) {
    case "ADD":
      filters.push(value());
      break;
    case "INSERT_FIRST":
      filters.unshift(value());
      break;
    case "INSERT_AFTER":
      if (name === undefined) filters.push(value());
      else if (index >= 0) filters.splice(index + 1, 0, value());
      break;
    case "INSERT_BEFORE":
      if (name === undefined) filters.unshift(value());
      else if (index >= 0) filters.splice(index, 0, value());
      break;
    case "REPLACE":
      if (index >= 0) filters.splice(index, 1, value());
      break;
    case "REMOVE": {
      if (index < 0) break;
      placed.touched = true;
      const kept = filters.filter((filter) => filter.name !== name);
      filters.splice(0, filters.length, ...kept);
      break;
    }
    default:
  }
}

/** Merges a patch into one filter: its name, if `rename`, and its configuration where that is of the same type. */
export function mergeFilter(placed: Placed, patch: CompiledPatch, filter: AnyFilter, rename: boolean): void {
  if (patch.operation !== "MERGE" || filter.configType.case !== "typedConfig") return;
  const source = patch.value as unknown as AnyFilter;
  placed.touched = true;
  if (rename && source.name !== "") filter.name = source.name;
  if (source.configType.case === "typedConfig")
    filter.configType = {
      case: "typedConfig",
      value: placed.mergeAny(patch, filter.configType.value as Any, source.configType.value as Any),
    };
}
