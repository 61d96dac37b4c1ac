import type { ObjectFault } from "@signalbox/istio-objects";
import type { ConfigObject, ServiceRecord, Workload } from "@signalbox/model";

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

/** Something that a file says, and where. Places cost a second look at the text, so they are made when they are asked for. */
export interface Placed<T> {
  readonly value: T;
  readonly place: () => Place;
}

/** All that one file says. Objects with errors are `refused`. */
export interface FileContent {
  readonly records: readonly Placed<ServiceRecord>[];
  readonly workloads: readonly Placed<Workload>[];
  readonly objects: readonly Placed<ConfigObject>[];
  /** Istio's objects that cannot be used. The error of each is among the faults. */
  readonly refused: readonly ConfigObject[];
  readonly faults: readonly StaticFault[];
  /** Whether all documents could be read; the file may be torn where not. */
  readonly readable: boolean;
}
