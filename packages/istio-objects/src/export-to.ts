import type { FaultList } from "./fault.ts";
import { labelFault } from "./names.ts";

/**
 * Checks `spec.exportTo` of an object that carries rules: namespaces, `.` for the object's own, or `*` alone. With `ownOnly` nothing but the
 * object's own namespace is allowed.
 */
export function checkRuleExportTo(
  exportTo: readonly string[],
  namespace: string,
  faults: FaultList,
  { ownOnly = false }: { readonly ownOnly?: boolean } = {},
): void {
  const seen = new Set<string>();
  for (const [index, target] of exportTo.entries()) {
    const at = ["spec", "exportTo", index];
    const name = target === "." ? namespace : target;
    const fault = target === "." || target === "*" ? undefined : labelFault(target);
    if (target === "~") faults.error(at, '"~" (nobody) is for services only');
    else if (fault !== undefined) faults.error(at, fault);
    else if (seen.has(name)) faults.error(at, `"${target}" is named twice`);
    else if (ownOnly && name !== namespace)
      faults.error(at, "a rule with a workload selector is for its own namespace only");
    seen.add(name);
  }
  if (seen.has("*") && exportTo.length > 1) faults.error(["spec", "exportTo"], '"*" must stand alone');
}
