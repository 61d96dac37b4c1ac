import { parseDocuments, type ParsedDocument } from "@signalbox/files";
import {
  checkObject,
  isObjectDocument,
  parseConfigObject,
  type ObjectFault,
  type ObjectPath,
} from "@signalbox/istio-objects";
import { registryId } from "@signalbox/model";
import { formatPath } from "@signalbox/registry";
import { documentFault, unknownKindFault } from "./unchecked.ts";

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
  const fault = documentFault(value);
  if (fault !== undefined) return [fault];
  const { faults, value: object } = parseConfigObject(value, provenance);
  if (object === undefined) return withoutConsequences(faults);
  const unknown = unknownKindFault(object.kind);
  return withoutConsequences([...faults, ...checkObject(object), ...(unknown === undefined ? [] : [unknown])]);
}

/** What has the wrong type is read as if it were not there: what is said of the same field after that is of something that nobody wrote. */
function withoutConsequences(faults: readonly ObjectFault[]): readonly ObjectFault[] {
  const mistyped = new Set<string>();
  return faults.filter(({ message, path, severity }) => {
    const field = JSON.stringify(path);
    if (mistyped.has(field)) return false;
    if (severity === "error" && message.startsWith("must be ")) mistyped.add(field);
    return true;
  });
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
