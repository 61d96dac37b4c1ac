import type { DocumentPart, ReadText } from "@signalbox/files";
import type { ObjectFault, ObjectPath } from "@signalbox/istio-objects";
import type { ConfigObject, ObjectKey, ServiceKey, ServiceRecord, Workload, WorkloadKey } from "@signalbox/model";
import { formatPath } from "@signalbox/registry";
import { atOnce, type Steps } from "@signalbox/slices";

/** A place in a file. Lines and columns count from 1, documents from 0. */
export interface Place {
  readonly file: string;
  readonly document: number;
  readonly line: number;
  readonly column: number;
}

/** One mistake in a file. `severity` is as in ObjectFault; `field` is the path of the field within the document. */
export interface StaticFault extends Place {
  readonly severity: ObjectFault["severity"];
  readonly field: string;
  readonly message: string;
}

/** Writes a fault on one line, as compilers do. */
export function formatFault({ file, line, column, field, message }: StaticFault): string {
  return `${file}:${line}:${column}: ${field === "" ? "" : `${field}: `}${message}`;
}

/** Something that a file says, under its key in the catalog. `path` says where in its document. */
export interface Placed<K extends string, T> {
  readonly key: K;
  readonly value: T;
  readonly path: ObjectPath;
}

/** A mistake in a part of a file. The path is that in its document. */
export type PartFault = Pick<ObjectFault, "path" | "at" | "severity" | "message">;

/** What one document says, or one item of a long list. Objects with errors are `refused`. It does not say in which line it stands. */
export interface PartContent {
  readonly records: readonly Placed<ServiceKey, ServiceRecord>[];
  readonly workloads: readonly Placed<WorkloadKey, Workload>[];
  readonly objects: readonly Placed<ObjectKey, ConfigObject>[];
  /** Istio's objects that cannot be used. The error of each is among the faults. */
  readonly refused: readonly ConfigObject[];
  readonly faults: readonly PartFault[];
}

/** All that one file says. */
export interface FileContent {
  readonly parts: readonly DocumentPart<PartContent>[];
  readonly faults: readonly StaticFault[];
  /** Whether all documents could be read; the file may be torn where not. */
  readonly readable: boolean;
}

/** What a file says, of what its documents say. */
export function fileContent(file: string, read: ReadText<PartContent>): FileContent {
  return atOnce(gatherContent(file, read));
}

/** The same in steps, one fault in each: there may be as many as documents, and each is looked for in the text. */
export function* gatherContent(file: string, { parts, errors, warnings }: ReadText<PartContent>): Steps<FileContent> {
  const faults: StaticFault[] = [
    ...errors.map((error) => ({ ...error, severity: "error" as const, field: "" })),
    ...warnings.map((warning) => ({ ...warning, severity: "warning" as const, field: "" })),
  ];
  let looked = 0;
  for (const part of parts) {
    if (++looked % partsPerStep === 0) yield;
    for (const { path, at, severity, message } of part.content.faults) {
      const field = path.length === 0 ? "" : formatPath(path);
      faults.push({ ...placeOf(file, part, path, at), severity, field, message });
      yield;
    }
  }
  faults.sort((a, b) => a.line - b.line || a.column - b.column);
  return { parts, faults, readable: errors.length === 0 };
}

/** So many parts without a fault are looked at in one step. */
const partsPerStep = 128;

/** Where something in a part of a file stands. Costs a second look at the text. */
export function placeOf(
  file: string,
  part: DocumentPart<PartContent>,
  path: ObjectPath,
  at: "key" | "value" = "value",
): Place {
  const { line, column } = part.positionOf(path, at);
  return { file, document: part.document, line, column };
}
