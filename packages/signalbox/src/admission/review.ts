import { checkObject, istioKinds, parseConfigObject, type ObjectFault } from "@signalbox/istio-objects";
import { registryId } from "@signalbox/model";
import { formatPath } from "@signalbox/registry";
import { warningTexts } from "./warnings.ts";

/** The verdict on one object, or what is wrong with the review itself. */
export type Verdict =
  | {
      readonly uid: string;
      readonly allowed: boolean;
      /** The object, as `VirtualService shop/web`; empty where nothing was checked. */
      readonly subject: string;
      /** Why it is refused; empty where it is allowed. */
      readonly message: string;
      readonly warnings: readonly string[];
    }
  | { readonly malformed: string };

const provenance = { registry: registryId("static", "admission"), object: "" };
const checkedKinds: ReadonlySet<string> = new Set(istioKinds.map(({ group, kind }) => `${group}/${kind}`));
const mostFaults = 20;

/**
 * Judges the request of an `AdmissionReview` (`admission.k8s.io/v1`), as parsed from JSON. Objects of Istio's kinds that are created or updated
 * are refused for what Istio's admission refuses. All else is allowed: other kinds, deletions, subresources, and an object that is being
 * deleted, whose finalizers must be able to go.
 */
export function judge(review: unknown): Verdict {
  const { apiVersion, kind, request } = fieldsOf(review);
  if (apiVersion !== "admission.k8s.io/v1" || kind !== "AdmissionReview")
    return { malformed: "is no AdmissionReview of admission.k8s.io/v1" };
  const asked = fieldsOf(request);
  const { uid, operation } = asked;
  if (typeof uid !== "string" || uid === "") return { malformed: "request.uid is missing" };
  if (typeof operation !== "string") return { malformed: "request.operation is missing" };
  const target = fieldsOf(asked["kind"]);
  if (typeof target["group"] !== "string" || typeof target["kind"] !== "string")
    return { malformed: "request.kind is missing" };
  const allowed = { uid, allowed: true, subject: "", message: "", warnings: [] };
  const isWrite = operation === "CREATE" || operation === "UPDATE";
  const isWhole = (asked["subResource"] ?? "") === "";
  if (!isWrite || !isWhole || !checkedKinds.has(`${target["group"]}/${target["kind"]}`)) return allowed;
  const object = asked["object"];
  if (typeof object !== "object" || object === null) return { malformed: "request.object is missing" };
  if (fieldsOf(fieldsOf(object)["metadata"])["deletionTimestamp"] !== undefined) return allowed;
  return { uid, ...verdictOn(named(object)) };
}

/** A name that the API server has yet to make stands for itself. */
function named(object: object): object {
  const metadata = fieldsOf(fieldsOf(object)["metadata"]);
  const { generateName, name } = metadata;
  if ((typeof name === "string" && name !== "") || typeof generateName !== "string") return object;
  return { ...object, metadata: { ...metadata, name: generateName } };
}

function verdictOn(value: object): Omit<Extract<Verdict, { readonly uid: string }>, "uid"> {
  const { faults: outer, value: object } = parseConfigObject(value, provenance);
  const faults = [...outer, ...(object === undefined ? [] : checkObject(object))];
  const isWarning = ({ severity }: ObjectFault) => severity === "warning";
  const reasons = faults.filter((fault) => !isWarning(fault)).map(faultText);
  const subject = object === undefined ? "the object" : `${object.kind} ${object.namespace}/${object.name}`;
  const more = reasons.length > mostFaults ? [`and ${reasons.length - mostFaults} more`] : [];
  return {
    allowed: reasons.length === 0,
    subject,
    message: reasons.length === 0 ? "" : `${subject}: ${[...reasons.slice(0, mostFaults), ...more].join("; ")}`,
    warnings: warningTexts(faults.filter(isWarning).map(faultText)),
  };
}

function faultText({ message, path }: ObjectFault): string {
  return path.length === 0 ? message : `${formatPath(path)}: ${message}`;
}

function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
}
