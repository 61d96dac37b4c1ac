import type { FaultList, ObjectPath } from "./fault.ts";
import type { TargetReference } from "./schema/common.ts";

/** How an object says which workloads it is for. */
interface Attachment {
  readonly selector?: { readonly matchLabels: Readonly<Record<string, string>> } | undefined;
  readonly targetRef?: TargetReference | undefined;
  readonly targetRefs?: readonly TargetReference[];
}

/** What a policy may be attached to, as `group/kind`; the core group is written in both ways. */
const targetKinds: readonly string[] = [
  "/Service",
  "core/Service",
  "networking.istio.io/ServiceEntry",
  "gateway.networking.k8s.io/Gateway",
  "gateway.networking.k8s.io/GatewayClass",
];

/** Checks `selector`, `targetRef` and `targetRefs` of a policy: one of them at most, and what each says. */
export function checkAttachment(attachment: Attachment, path: ObjectPath, faults: FaultList): void {
  const { selector, targetRef, targetRefs = [] } = attachment;
  const given = [
    ...(selector === undefined ? [] : ["selector"]),
    ...(targetRef === undefined ? [] : ["targetRef"]),
    ...(targetRefs.length === 0 ? [] : ["targetRefs"]),
  ];
  const [first, second] = given;
  if (first !== undefined && second !== undefined) {
    faults.error([...path, second], `cannot stand beside "${first}"`, "key");
  }
  if (selector !== undefined) checkLabelSelector(selector.matchLabels, [...path, "selector"], "matchLabels", faults);
  if (targetRef !== undefined) checkTarget(targetRef, [...path, "targetRef"], faults);
  for (const [index, target] of targetRefs.entries()) checkTarget(target, [...path, "targetRefs", index], faults);
}

/** Checks the labels of a selector, which stand in `field` at the path. One without labels selects a whole namespace. */
export function checkLabelSelector(
  labels: Readonly<Record<string, string>>,
  path: ObjectPath,
  field: "labels" | "matchLabels",
  faults: FaultList,
): void {
  if (Object.keys(labels).length === 0) {
    faults.warning(path, "has no labels, so it selects every workload of the namespace");
  }
  for (const [key, value] of Object.entries(labels)) {
    const at = [...path, field, key];
    if (key === "") faults.error(at, "a label needs a key", "key");
    if (key.includes("*") || value.includes("*")) faults.error(at, "wildcards do not work in a selector");
  }
}

function checkTarget({ group, kind, name, namespace }: TargetReference, path: ObjectPath, faults: FaultList): void {
  if (name === "") faults.error([...path, "name"], "is required");
  if (namespace !== "") {
    faults.error([...path, "namespace"], "must not be set: a target is in the namespace of its policy");
  }
  if (!targetKinds.includes(`${group}/${kind}`)) {
    faults.error(
      [...path, "kind"],
      `a policy is for a Service, a ServiceEntry, a Gateway or a GatewayClass of the Gateway API, not for "${kind}" of group "${group}"`,
    );
  }
}
