import {
  isCheckedKind,
  isIstioVersion,
  isObjectDocument,
  istioKinds,
  type ObjectFault,
} from "@signalbox/istio-objects";
import { didYouMean } from "@signalbox/model";

/** Why a document is not checked as an object of Istio, or cannot be one though it looks like it. Undefined where it can be checked. */
export function documentFault(value: unknown): ObjectFault | undefined {
  const { apiVersion, kind, services } = asMap(value);
  if (!isObjectDocument(value)) {
    if (Array.isArray(services))
      return unchecked("holds services and no Istio object; `signalbox catalog --rules` reads it");
    const known = typeof kind === "string" ? istioKinds.find((one) => one.kind === kind) : undefined;
    if (apiVersion === undefined && known !== undefined)
      return { path: [], at: "value", severity: "error", message: `apiVersion is missing; ${advice(known.kind)}` };
    return unchecked("is not an object with apiVersion and kind, so it is not checked");
  }
  if (typeof apiVersion !== "string" || typeof kind !== "string") return undefined;
  const known = istioKinds.find((one) => one.kind === kind);
  const meant = known !== undefined && apiVersion.includes("istio");
  if (!isIstioVersion(apiVersion) && !meant)
    return unchecked(`${kind} of ${apiVersion} is not an Istio object, so it is not checked`);
  if (known === undefined || apiVersionsOf(kind).includes(apiVersion)) return undefined;
  const message = `there is no ${kind} of ${apiVersion}; ${advice(kind)}`;
  return { path: ["apiVersion"], at: "value", severity: "error", message };
}

/** Says that the spec of an object of Istio is not checked, because nobody here knows its kind. Undefined where it is known. */
export function unknownKindFault(kind: string): ObjectFault | undefined {
  if (isCheckedKind(kind)) return undefined;
  const hint = didYouMean(
    kind,
    istioKinds.map((one) => one.kind),
  );
  const asked = hint === undefined ? "" : `; did you mean ${hint}?`;
  return unchecked(`the spec of a ${kind} is not known here, so it is not checked${asked}`);
}

function unchecked(message: string): ObjectFault {
  return { path: [], at: "value", severity: "warning", message };
}

function advice(kind: string): string {
  return `write ${apiVersionsOf(kind)[0] ?? "another"}`;
}

function apiVersionsOf(kind: string): readonly string[] {
  return istioKinds
    .filter((one) => one.kind === kind)
    .flatMap(({ group, versions }) => versions.map((v) => `${group}/${v}`));
}

function asMap(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
}
