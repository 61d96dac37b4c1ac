import type { ConfigObject } from "@signalbox/model";
import { checkAnnotations } from "./check-annotations.ts";
import { checkDestinationRule } from "./destination-rule.ts";
import type { Checked, ObjectFault } from "./fault.ts";
import { checkServiceEntry } from "./service-entry.ts";
import { checkVirtualService } from "./virtual-service.ts";
import { checkWorkloadEntry } from "./workload-entry.ts";

/** How each kind is checked: one line for each. */
const checks: Readonly<Record<string, (object: ConfigObject) => Checked<unknown>>> = {
  DestinationRule: checkDestinationRule,
  ServiceEntry: checkServiceEntry,
  VirtualService: checkVirtualService,
  WorkloadEntry: checkWorkloadEntry,
};

/** Whether `checkObject` looks at the `spec` of this kind. */
export function isCheckedKind(kind: string): boolean {
  return Object.hasOwn(checks, kind);
}

/** Checks an Istio object: its annotations and, where its kind is known here (`isCheckedKind`), its `spec`. */
export function checkObject(object: ConfigObject): readonly ObjectFault[] {
  const check = isCheckedKind(object.kind) ? checks[object.kind] : undefined;
  return [...checkAnnotations(object), ...(check?.(object).faults ?? [])];
}
