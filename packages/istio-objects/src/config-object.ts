import type { ConfigObject, Provenance } from "@signalbox/model";
import { FaultList, type Checked } from "./fault.ts";
import { isObject, mapOf, text } from "./proto-json.ts";

/** Whether a document looks like a Kubernetes-style object: it says `apiVersion` and `kind`. */
export function isObjectDocument(value: unknown): boolean {
  return isObject(value) && Object.hasOwn(value, "apiVersion") && Object.hasOwn(value, "kind");
}

/** Whether an `apiVersion` belongs to Istio: `networking.istio.io/v1` and its like. */
export function isIstioVersion(apiVersion: string): boolean {
  return /^(?:[a-z0-9-]+\.)+istio\.io\/v[a-z0-9]+$/.test(apiVersion);
}

/**
 * Reads `apiVersion`, `kind`, `metadata` and `spec` of one Istio object; the namespace is `default` where none is given. `spec` stays as it is.
 * The value is undefined where the object has no identity. `metadata.resourceVersion` becomes the source version.
 */
export function parseConfigObject(value: unknown, provenance: Provenance): Checked<ConfigObject | undefined> {
  const faults = new FaultList();
  if (!isObject(value)) {
    faults.error([], "must be an object with apiVersion, kind, metadata and spec");
    return { value: undefined, faults: faults.faults };
  }
  const known = ["apiVersion", "kind", "metadata", "spec", "status"];
  for (const key of Object.keys(value)) {
    if (!known.includes(key)) faults.error([key], `unknown field "${key}"`, "key");
  }
  const apiVersion = text(value["apiVersion"], ["apiVersion"], faults);
  if (apiVersion !== "" && !isIstioVersion(apiVersion)) {
    faults.error(["apiVersion"], `"${apiVersion}" is not a version of Istio's API, such as networking.istio.io/v1`);
  }
  const kind = text(value["kind"], ["kind"], faults);
  if (kind === "") faults.error(["kind"], "is required");
  const metadata = value["metadata"];
  if (!isObject(metadata)) {
    faults.error(["metadata"], metadata === undefined ? "is required" : "must be a map");
    return { value: undefined, faults: faults.faults };
  }
  const name = text(metadata["name"], ["metadata", "name"], faults);
  if (name === "") faults.error(["metadata", "name"], "is required");
  const namespace = text(metadata["namespace"], ["metadata", "namespace"], faults) || "default";
  for (const [field, part] of Object.entries({ kind, name, namespace })) {
    // The three make a key; a slash in one of them would make another object's key.
    if (part.includes("/")) faults.error(field === "kind" ? ["kind"] : ["metadata", field], 'must not contain "/"');
  }
  const labels = mapOf(text)(metadata["labels"], ["metadata", "labels"], faults);
  const annotations = mapOf(text)(metadata["annotations"], ["metadata", "annotations"], faults);
  const created = text(metadata["creationTimestamp"], ["metadata", "creationTimestamp"], faults);
  const createdAt = created === "" ? undefined : Date.parse(created);
  if (Number.isNaN(createdAt)) faults.error(["metadata", "creationTimestamp"], `"${created}" is not a time`);
  const version = metadata["resourceVersion"];
  const usable = kind !== "" && name !== "" && !faults.faults.some((fault) => fault.severity === "error");
  if (!usable) return { value: undefined, faults: faults.faults };
  const object: ConfigObject = {
    kind,
    namespace,
    name,
    labels,
    annotations,
    ...(createdAt === undefined ? {} : { createdAt }),
    spec: value["spec"] ?? {},
    provenance: typeof version === "string" ? { ...provenance, sourceVersion: version } : provenance,
  };
  return { value: object, faults: faults.faults };
}
