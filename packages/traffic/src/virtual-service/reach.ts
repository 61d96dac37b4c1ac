/**
 * How a rule reaches clients of a namespace: written by their own namespace for it, exported to it by name, or to all. That is also the
 * order in which Istio prefers rules for one host.
 */
export type Reach = "own" | "exported" | "public";

/** The order of `Reach`. */
export const reachOrder: Readonly<Record<Reach, number>> = { own: 0, exported: 1, public: 2 };

/** Whether and how a rule of `owner` with this `exportTo` reaches clients of a namespace. Empty means all; `~` without `*` means none. */
export function reachOf(exportTo: readonly string[], owner: string, namespace: string): Reach | undefined {
  if (isPublic(exportTo)) return "public";
  if (exportTo.includes("~")) return undefined;
  if (namespace === owner) return exportTo.includes(".") || exportTo.includes(owner) ? "own" : undefined;
  return exportTo.includes(namespace) ? "exported" : undefined;
}

/** Whether all namespaces see a rule. */
export function isPublic(exportTo: readonly string[]): boolean {
  return exportTo.length === 0 || exportTo.includes("*");
}

/** Whether something of `owner` with this `exportTo` is seen in a namespace. */
export function isExportedTo(exportTo: readonly string[], owner: string, namespace: string): boolean {
  return reachOf(exportTo, owner, namespace) !== undefined;
}
