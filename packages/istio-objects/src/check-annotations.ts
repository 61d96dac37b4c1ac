import type { ConfigObject } from "@signalbox/model";
import { FaultList, type ObjectFault } from "./fault.ts";
import { isObject } from "./proto-json.ts";

/** Annotations by which Istio's own parts talk to each other; from outside they are refused. */
const internal = [
  "internal.istio.io/webhook-always-reject",
  "internal.istio.io/parent-namespace",
  "internal.istio.io/parents",
];
const dryRun = "istio.io/dry-run";

/** Checks the annotations of any Istio object: what Istio keeps for itself, and `istio.io/dry-run`, which is for AuthorizationPolicies. */
export function checkAnnotations({
  annotations,
  kind,
  spec,
}: Pick<ConfigObject, "annotations" | "kind" | "spec">): readonly ObjectFault[] {
  const faults = new FaultList();
  for (const name of internal) {
    if (Object.hasOwn(annotations, name))
      faults.rejected(["metadata", "annotations", name], "is for Istio's own use only");
  }
  const value = Object.hasOwn(annotations, dryRun) ? annotations[dryRun] : undefined;
  const fault = value === undefined ? undefined : dryRunFault(value, kind, spec);
  if (fault !== undefined) faults.rejected(["metadata", "annotations", dryRun], fault);
  return faults.faults;
}

function dryRunFault(value: string, kind: string, spec: unknown): string | undefined {
  if (kind !== "AuthorizationPolicy") return "is for AuthorizationPolicies only";
  const action = (isObject(spec) ? spec["action"] : undefined) ?? "ALLOW";
  // A protobuf enum may also be written as its number.
  if (!["ALLOW", "DENY", 0, 1].includes(action as string | number)) return "is for the actions ALLOW and DENY only";
  return /^(?:1|t|T|TRUE|true|True|0|f|F|FALSE|false|False)$/.test(value) ? undefined : "must be true or false";
}
