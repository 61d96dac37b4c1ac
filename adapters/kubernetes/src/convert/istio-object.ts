import { checkObject, FaultList, parseConfigObject } from "@signalbox/istio-objects";
import type { IstioKind, ObjectFault, ObjectPath, ReadSchema } from "@signalbox/istio-objects";
import type { ConfigObject, RegistryId } from "@signalbox/model";
import { MalformedObjectError, rawMap } from "./raw.ts";

/** An Istio object as it was read: `undefined` where a fault of severity `error` makes it unusable. */
export interface ParsedIstioObject {
  readonly value: ConfigObject | undefined;
  readonly faults: readonly ObjectFault[];
}

/** `kubectl apply` keeps a copy of the whole object here. */
const lastApplied = "kubectl.kubernetes.io/last-applied-configuration";

/** The kinds that become services and workloads here, so that all of them must be right. */
const converted: readonly string[] = ["ServiceEntry", "WorkloadEntry"];

/**
 * Reads an Istio object as an API server or a manifest gives it. Unusable is one whose fields have wrong types, and a ServiceEntry or
 * WorkloadEntry that Istio would not serve. A field that is not known is a warning: a newer API may have it.
 */
export function parseIstioObject(raw: unknown, kind: IstioKind, registry: RegistryId): ParsedIstioObject {
  const { metadata, spec } = rawMap(raw, "object");
  const { annotations, creationTimestamp, labels, name, namespace, resourceVersion } = rawMap(metadata, "metadata");
  const { [lastApplied]: _copy, ...ownAnnotations } = rawMap(annotations, "metadata.annotations");
  const parsed = parseConfigObject(
    {
      apiVersion: `${kind.group}/${kind.storage}`,
      kind: kind.kind,
      metadata: { annotations: ownAnnotations, creationTimestamp, labels, name, namespace, resourceVersion },
      spec,
    },
    { registry, object: `${kind.kind} ${String(namespace)}/${String(name)}` },
  );
  if (parsed.value === undefined) return parsed;
  const faults = [...parsed.faults, ...specFaults(parsed.value, kind)];
  return { value: faults.some(({ severity }) => severity === "error") ? undefined : parsed.value, faults };
}

/** Like `parseIstioObject`; throws a MalformedObjectError with the first fault that makes the object unusable. */
export function readIstioObject(raw: unknown, kind: IstioKind, registry: RegistryId): ConfigObject {
  const { value, faults } = parseIstioObject(raw, kind, registry);
  if (value !== undefined) return value;
  const first = faults.find(({ severity }) => severity === "error");
  throw new MalformedObjectError(first?.path.join(".") ?? "object", first?.message ?? "cannot be read");
}

function specFaults(object: ConfigObject, kind: IstioKind): readonly ObjectFault[] {
  const all = converted.includes(kind.kind) ? checkObject(object) : readFaults(object, kind);
  return all.map((fault) => {
    const isTold =
      fault.severity === "error" && fault.path[0] === "spec" && !knows(kind.read.schema, fault.path.slice(1));
    return isTold ? { ...fault, severity: "warning" } : fault;
  });
}

function readFaults({ spec }: ConfigObject, { read }: IstioKind): readonly ObjectFault[] {
  const faults = new FaultList();
  read(spec, ["spec"], faults);
  return faults.faults;
}

/** Whether a schema has the field at the path, in either way of writing its name. */
function knows(schema: ReadSchema, path: ObjectPath): boolean {
  let here: ReadSchema | undefined = schema;
  for (const step of path) {
    if (here?.["x-kubernetes-preserve-unknown-fields"] === true) return true;
    if (typeof step === "number") here = here?.items;
    else here = here?.additionalProperties ?? ownField(here?.properties, step);
  }
  return here !== undefined;
}

function ownField(properties: ReadSchema["properties"] = {}, name: string): ReadSchema | undefined {
  const camel = name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
  return Object.hasOwn(properties, camel) ? properties[camel] : undefined;
}
