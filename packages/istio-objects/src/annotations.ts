import type { ConfigObject } from "@signalbox/model";
import { FaultList, type ObjectFault } from "./fault.ts";
import { isObject } from "./proto-json.ts";

const dryRun = "istio.io/dry-run";

/** Annotations that only Istio itself may write, or that ask to be refused. */
const forbidden: readonly string[] = [
  "internal.istio.io/parent-namespace",
  "internal.istio.io/parents",
  "internal.istio.io/webhook-always-reject",
];

/** Checks the annotations that Istio's admission looks at, which are the same for every kind. */
export function checkAnnotations(object: Pick<ConfigObject, "kind" | "annotations" | "spec">): readonly ObjectFault[] {
  const faults = new FaultList();
  for (const name of forbidden) {
    if (Object.hasOwn(object.annotations, name)) {
      faults.rejected(["metadata", "annotations", name], "Istio refuses objects with this annotation");
    }
  }
  if (!Object.hasOwn(object.annotations, dryRun)) return faults.faults;
  const at = ["metadata", "annotations", dryRun];
  const action: unknown = isObject(object.spec) ? object.spec["action"] : undefined;
  if (object.kind !== "AuthorizationPolicy") {
    faults.rejected(at, "Istio knows it for an AuthorizationPolicy only");
  } else if (![undefined, null, "ALLOW", "DENY", 0, 1].includes(action as string)) {
    faults.rejected(at, "Istio knows it for the actions ALLOW and DENY only");
  } else if (!/^(?:1|t|T|TRUE|true|True|0|f|F|FALSE|false|False)$/.test(object.annotations[dryRun] ?? "")) {
    faults.rejected(at, `"${object.annotations[dryRun] ?? ""}" is neither true nor false`);
  }
  return faults.faults;
}
