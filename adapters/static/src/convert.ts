import { DocumentReader, type DocumentReaderOptions } from "@signalbox/files";
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
import {
  objectKey,
  serviceKey,
  type ConfigObject,
  type ObjectKey,
  type Provenance,
  type RegistryId,
  type ServiceKey,
  type ServiceRecord,
  type Workload,
  type WorkloadKey,
} from "@signalbox/model";
import type { PartContent, PartFault, Placed } from "./convert/file-content.ts";
import { shortRecord, type ShortContext } from "./convert/short-form.ts";
import { parseShortForm } from "./convert/short-schema.ts";

/** What the conversion has to know beside the file. */
export interface ConvertContext extends ShortContext {
  readonly registry: RegistryId;
  /** First part of the keys of workloads. */
  readonly cluster: string;
}

/**
 * How the texts of one file are read: by document, and lists of objects and of services item by item, so that work follows the change.
 * Converting is pure and never throws: what is wrong is in `faults`.
 */
export function fileReader(
  file: string,
  context: ConvertContext,
  bounds: Pick<DocumentReaderOptions<PartContent>, "maxBytes" | "cutFrom"> = {},
): DocumentReader<PartContent> {
  return new DocumentReader({
    ...bounds,
    file,
    listKeys: ["items", "services"],
    mayCut: (frame, key) =>
      isObjectDocument(frame) ? key === "items" && (frame as { kind: unknown }).kind === "List" : key === "services",
    convert: (value, path) => convertPart(file, context, value, path),
    moved: (content, path) => moved(content, file, path),
  });
}

/** Reads one document, as `fileReader` does one that is not long. */
export function convertDocument(file: string, context: ConvertContext, value: unknown): PartContent {
  return convertPart(file, context, value, []);
}

function convertPart(file: string, context: ConvertContext, value: unknown, path: ObjectPath): PartContent {
  const converter = new PartConverter(file, context);
  const [list, index] = path;
  if (list === "items") converter.object(value, path);
  else if (list === "services") converter.shortForm({ services: [value] }, Number(index));
  else converter.document(value);
  const { records, workloads, objects, refused, faults } = converter;
  return { records, workloads, objects, refused, faults };
}

class PartConverter {
  readonly records: Placed<ServiceKey, ServiceRecord>[] = [];
  readonly workloads: Placed<WorkloadKey, Workload>[] = [];
  readonly objects: Placed<ObjectKey, ConfigObject>[] = [];
  readonly refused: ConfigObject[] = [];
  readonly faults: PartFault[] = [];
  readonly #file: string;
  readonly #context: ConvertContext;

  constructor(file: string, context: ConvertContext) {
    this.#file = file;
    this.#context = context;
  }

  document(value: unknown): void {
    if (!isObjectDocument(value)) {
      this.shortForm(value, 0);
      return;
    }
    const { apiVersion, kind, items } = value as { apiVersion: unknown; kind: unknown; items?: unknown };
    if (kind === "List" && Array.isArray(items)) {
      for (const [index, item] of items.entries()) this.object(item, ["items", index]);
    } else if (typeof apiVersion === "string" && typeof kind === "string" && !isIstioVersion(apiVersion)) {
      const message = `${kind} of ${apiVersion} is not an Istio object, so it is left out`;
      this.#report([{ path: ["kind"], at: "value", severity: "warning", message }], []);
    } else {
      this.object(value, []);
    }
  }

  object(value: unknown, path: ObjectPath): void {
    const provenance = this.#provenance(this.#file);
    const { value: parsed, faults } = parseConfigObject(value, provenance);
    this.#report(faults, path);
    if (parsed === undefined) return;
    const named = `${parsed.kind} ${parsed.namespace}/${parsed.name} in ${this.#file}`;
    const object = { ...parsed, provenance: { ...parsed.provenance, object: named } };
    if (this.#takeIn(object, path)) this.objects.push({ key: objectKey(object), value: object, path });
    else this.refused.push(object);
  }

  /** Makes of an object what it stands for. False where it cannot be used. */
  #takeIn(object: ConfigObject, path: ObjectPath): boolean {
    if (object.kind === "ServiceEntry") {
      const entry = checkServiceEntry(object);
      if (!this.#report(entry.faults, path)) return false;
      for (const record of serviceEntryToRecords(object, entry.value)) this.#record(record, path);
      return true;
    }
    if (object.kind === "WorkloadEntry") {
      const entry = checkWorkloadEntry(object);
      if (!this.#report(entry.faults, path)) return false;
      const workload = workloadEntryToWorkload(object, this.#context, entry.value);
      this.workloads.push({ key: workload.key, value: workload, path });
      return true;
    }
    return this.#report(checkObject(object), path);
  }

  /** `first`: which service of its document the first one is. */
  shortForm(value: unknown, first: number): void {
    const { services, faults } = parseShortForm(value);
    for (const fault of faults) this.#report([{ ...fault, path: inDocument(fault.path, first) }], []);
    for (const [index, service] of services) {
      const path = ["services", first + index];
      const provenance = this.#provenance(shortName(this.#file, path));
      const found: ObjectFault[] = [];
      const record = shortRecord(service, this.#context, provenance, (path, message) => {
        found.push({ path, at: "value", severity: "error", message });
      });
      if (this.#report(found, path)) this.#record(record, path);
    }
  }

  #record(value: ServiceRecord, path: ObjectPath): void {
    this.records.push({ key: serviceKey(value.service), value, path });
  }

  /** Notes faults; true where none of them is an error. */
  #report(faults: readonly ObjectFault[], prefix: ObjectPath): boolean {
    for (const { path, at, severity, message } of faults)
      this.faults.push({ path: [...prefix, ...path], at, severity, message });
    return faults.every(({ severity }) => severity !== "error");
  }

  #provenance(object: string): Provenance {
    return { registry: this.#context.registry, object };
  }
}

function shortName(file: string, path: ObjectPath): string {
  return `${file}#/${path.join("/")}`;
}

function inDocument(path: ObjectPath, first: number): ObjectPath {
  const [list, index, ...rest] = path;
  return list === "services" && typeof index === "number" ? [list, first + index, ...rest] : path;
}

/** The same item at another index of its list. Services of the short form are named by it. */
function moved(content: PartContent, file: string, path: ObjectPath): PartContent {
  const replace = <K extends string, T>(placed: Placed<K, T>): Placed<K, T> => ({ ...placed, path });
  const rename = ({ service, instances }: ServiceRecord): ServiceRecord => {
    const provenance = { ...service.provenance, object: shortName(file, path) };
    return {
      service: { ...service, provenance },
      instances: instances.map((instance) => ({ ...instance, provenance })),
    };
  };
  return {
    records: content.records.map(replace).map((placed) => {
      return path[0] === "services" ? { ...placed, value: rename(placed.value) } : placed;
    }),
    workloads: content.workloads.map(replace),
    objects: content.objects.map(replace),
    refused: content.refused,
    faults: content.faults.map((fault) => ({ ...fault, path: [...path, ...fault.path.slice(path.length)] })),
  };
}
