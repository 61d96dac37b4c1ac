/** EnvoyFilters: what they change in the resources of a proxy. */
export { compilePatches } from "./compile.ts";
export { PatchedView } from "./patched-view.ts";
export { extensionConfigType, Patcher } from "./patcher.ts";
export type { CompiledPatch, CompiledPatches, PatchFault } from "./compile.ts";
export type { PatchContext } from "./match.ts";
export type { Patched } from "./patcher.ts";
