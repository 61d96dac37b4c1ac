import {
  checkObject,
  checkServiceEntry,
  checkWorkloadEntry,
  isIstioVersion,
  isObjectDocument,
  parseConfigObject,
  serviceEntryToRecords,
  workloadEntryToWorkload,
  type ObjectFault,
  type ObjectPath,
} from "@signalbox/istio-objects";
import type { ConfigObject, Provenance, RegistryId, ServiceRecord, Workload } from "@signalbox/model";
import { formatPath } from "@signalbox/registry";
import type { StaticFile } from "./client.ts";
import type { FileContent, Place, Placed, StaticFault } from "./convert/file-content.ts";
import { shortRecord, type ShortContext } from "./convert/short-form.ts";
import { parseShortForm } from "./convert/short-schema.ts";

/** What the conversion has to know beside the file. */
export interface ConvertContext extends ShortContext {
  readonly registry: RegistryId;
  /** First part of the keys of workloads. */
  readonly cluster: string;
}

/** Converts the documents of one file. Pure, and never throws: what is wrong is in `faults`. */
export function convertFile({ file, parsed }: StaticFile, context: ConvertContext): FileContent {
  const converter = new FileConverter(file, context);
  for (const document of parsed.documents) {
    const place = (path: ObjectPath, at?: "key" | "value") => document.positionOf(path, at);
    converter.document(document.value, { index: document.index, place });
  }
  const faults = [
    ...parsed.errors.map((error) => ({ ...error, severity: "error" as const, field: "" })),
    ...parsed.warnings.map((warning) => ({ ...warning, severity: "warning" as const, field: "" })),
    ...converter.faults,
  ];
  faults.sort((a, b) => a.line - b.line || a.column - b.column);
  const { objects, records, refused, workloads } = converter;
  return { records, workloads, objects, refused, faults, readable: parsed.errors.length === 0 };
}

interface DocumentContext {
  readonly index: number;
  readonly place: (path: ObjectPath, at?: "key" | "value") => { readonly line: number; readonly column: number };
}

class FileConverter {
  readonly records: Placed<ServiceRecord>[] = [];
  readonly workloads: Placed<Workload>[] = [];
  readonly objects: Placed<ConfigObject>[] = [];
  readonly refused: ConfigObject[] = [];
  readonly faults: StaticFault[] = [];
  readonly #file: string;
  readonly #context: ConvertContext;

  constructor(file: string, context: ConvertContext) {
    this.#file = file;
    this.#context = context;
  }

  document(value: unknown, document: DocumentContext): void {
    if (!isObjectDocument(value)) {
      this.#shortForm(value, document);
      return;
    }
    const { apiVersion, kind, items } = value as { apiVersion: unknown; kind: unknown; items?: unknown };
    if (kind === "List" && Array.isArray(items)) {
      for (const [index, item] of items.entries()) this.#object(item, ["items", index], document);
    } else if (typeof apiVersion === "string" && typeof kind === "string" && !isIstioVersion(apiVersion)) {
      const message = `${kind} of ${apiVersion} is not an Istio object, so it is left out`;
      this.#report([{ path: ["kind"], at: "value", severity: "warning", message }], [], document);
    } else {
      this.#object(value, [], document);
    }
  }

  #object(value: unknown, prefix: ObjectPath, document: DocumentContext): void {
    const provenance = this.#provenance(this.#file);
    const { value: parsed, faults } = parseConfigObject(value, provenance);
    this.#report(faults, prefix, document);
    if (parsed === undefined) return;
    const named = `${parsed.kind} ${parsed.namespace}/${parsed.name} in ${this.#file}`;
    const object = { ...parsed, provenance: { ...parsed.provenance, object: named } };
    const place = () => this.#place(prefix, document);
    const isUsable = (found: readonly ObjectFault[]) => this.#report(found, prefix, document);
    if (this.#takeIn(object, place, isUsable)) this.objects.push({ value: object, place });
    else this.refused.push(object);
  }

  /** Makes of an object what it stands for. False where it cannot be used. */
  #takeIn(object: ConfigObject, place: () => Place, isUsable: (faults: readonly ObjectFault[]) => boolean): boolean {
    if (object.kind === "ServiceEntry") {
      const entry = checkServiceEntry(object);
      if (!isUsable(entry.faults)) return false;
      for (const record of serviceEntryToRecords(object, entry.value)) this.records.push({ value: record, place });
      return true;
    }
    if (object.kind === "WorkloadEntry") {
      const entry = checkWorkloadEntry(object);
      if (!isUsable(entry.faults)) return false;
      const workload = workloadEntryToWorkload(object, this.#context, entry.value);
      this.workloads.push({ value: workload, place });
      return true;
    }
    return isUsable(checkObject(object));
  }

  #shortForm(value: unknown, document: DocumentContext): void {
    const { services, faults } = parseShortForm(value);
    this.#report(faults, [], document);
    for (const [index, service] of services) {
      const prefix = ["services", index];
      const provenance = this.#provenance(`${this.#file}#/services/${index}`);
      const found: ObjectFault[] = [];
      const record = shortRecord(service, this.#context, provenance, (path, message) => {
        found.push({ path, at: "value", severity: "error", message });
      });
      if (this.#report(found, prefix, document))
        this.records.push({ value: record, place: () => this.#place(prefix, document) });
    }
  }

  /** Notes faults; true where none of them is an error. */
  #report(faults: readonly ObjectFault[], prefix: ObjectPath, document: DocumentContext): boolean {
    for (const { path, at, severity, message } of faults) {
      const whole = [...prefix, ...path];
      const field = whole.length === 0 ? "" : formatPath(whole);
      this.faults.push({ ...this.#place(whole, document, at), severity, field, message });
    }
    return faults.every(({ severity }) => severity !== "error");
  }

  #place(path: ObjectPath, { index, place }: DocumentContext, at?: "key" | "value"): Place {
    const { line, column } = place(path, at);
    return { file: this.#file, document: index, line, column };
  }

  #provenance(object: string): Provenance {
    return { registry: this.#context.registry, object };
  }
}
