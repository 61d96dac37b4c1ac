import { parseDocuments, type ParsedDocument } from "@signalbox/files";
import {
  checkObject,
  isCheckedKind,
  isIstioVersion,
  isObjectDocument,
  parseConfigObject,
  type ObjectFault,
  type ObjectPath,
} from "@signalbox/istio-objects";
import { registryId } from "@signalbox/model";
import { formatPath } from "@signalbox/registry";

/** One remark on a document. Lines and columns count from 1; the field is empty where the whole document is meant. */
export interface Remark {
  readonly line: number;
  readonly column: number;
  readonly field: string;
  readonly message: string;
}

/** What is to say of one YAML document. Kind, namespace and name are empty where it has none. */
export interface DocumentVerdict {
  /** Counts the documents of the file from 0. */
  readonly document: number;
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly errors: readonly Remark[];
  readonly warnings: readonly Remark[];
}

/** Validates every document of a text, each for itself. Never throws. What Istio's admission refuses is an error. */
export function validateText(text: string, file: string): readonly DocumentVerdict[] {
  const parsed = parseDocuments(text, { file });
  const broken = parsed.errors.map(({ column, document, line, message }) => {
    const errors = [{ line, column, field: "", message }];
    return { document, kind: "", namespace: "", name: "", errors, warnings: [] };
  });
  const ambiguous = new Map<number, Remark[]>();
  for (const { column, document, line, message } of parsed.warnings) {
    const remarks = ambiguous.get(document) ?? [];
    remarks.push({ line, column, field: "", message });
    ambiguous.set(document, remarks);
  }
  const whole = parsed.documents.map((document) => {
    const verdict = validateDocument(document);
    return { ...verdict, warnings: inOrder([...(ambiguous.get(document.index) ?? []), ...verdict.warnings]) };
  });
  return [...broken, ...whole].sort((a, b) => a.document - b.document);
}

const provenance = { registry: registryId("static", "validate"), object: "" };

function validateDocument(document: ParsedDocument): DocumentVerdict {
  const faults: ObjectFault[] = [];
  const note = (found: readonly ObjectFault[], prefix: ObjectPath) => {
    for (const fault of found) faults.push({ ...fault, path: [...prefix, ...fault.path] });
  };
  const { value } = document;
  const items = listItems(value);
  if (items === undefined) note(objectFaults(value), []);
  else for (const [index, item] of items.entries()) note(objectFaults(item), ["items", index]);
  const remark = ({ at, message, path }: ObjectFault): Remark => {
    return { ...document.positionOf(path, at), field: path.length === 0 ? "" : formatPath(path), message };
  };
  const isWarning = ({ severity }: ObjectFault) => severity === "warning";
  return {
    document: document.index,
    ...identity(value),
    errors: inOrder(faults.filter((fault) => !isWarning(fault)).map(remark)),
    warnings: inOrder(faults.filter(isWarning).map(remark)),
  };
}

/** The members of a Kubernetes `List`. */
function listItems(value: unknown): readonly unknown[] | undefined {
  if (!isObjectDocument(value)) return undefined;
  const { items, kind } = value as { readonly items?: unknown; readonly kind: unknown };
  return kind === "List" && Array.isArray(items) ? items : undefined;
}

function objectFaults(value: unknown): readonly ObjectFault[] {
  const unchecked = (message: string): readonly ObjectFault[] => {
    return [{ path: [], at: "value", severity: "warning", message: `${message}, so it is not checked` }];
  };
  if (!isObjectDocument(value)) return unchecked("is not an object with apiVersion and kind");
  const { apiVersion, kind } = value as { readonly apiVersion: unknown; readonly kind: unknown };
  if (typeof apiVersion === "string" && typeof kind === "string" && !isIstioVersion(apiVersion))
    return unchecked(`${kind} of ${apiVersion} is not an Istio object`);
  const { faults, value: object } = parseConfigObject(value, provenance);
  if (object === undefined) return faults;
  const unknown = isCheckedKind(object.kind) ? [] : unchecked(`the spec of a ${object.kind} is not known here`);
  return [...faults, ...checkObject(object), ...unknown];
}

/** Kind, namespace and name as far as they are written. An object without a namespace is in `default`. */
function identity(value: unknown): Pick<DocumentVerdict, "kind" | "namespace" | "name"> {
  const kind = textIn(value, "kind");
  const metadata = member(value, "metadata");
  const name = textIn(metadata, "name");
  if (kind === "" || kind === "List") return { kind, namespace: "", name };
  return { kind, namespace: textIn(metadata, "namespace") || "default", name };
}

function textIn(value: unknown, key: string): string {
  const found = member(value, key);
  return typeof found === "string" ? found : "";
}

function member(value: unknown, key: string): unknown {
  if (typeof value !== "object" || value === null || !Object.hasOwn(value, key)) return undefined;
  return (value as Readonly<Record<string, unknown>>)[key];
}

function inOrder(remarks: readonly Remark[]): readonly Remark[] {
  return [...remarks].sort((a, b) => a.line - b.line || a.column - b.column);
}
