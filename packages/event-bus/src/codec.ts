import { byCodeUnit, deepFreeze, deepFreezeParsed, objectKey } from "@signalbox/model";
import type {
  Catalog,
  CatalogDelta,
  CatalogEntry,
  ConfigObject,
  Delta,
  ObjectKey,
  Revision,
  ServiceKey,
  Workload,
  WorkloadKey,
} from "@signalbox/model";
import type { ChangeEvent } from "./event.ts";

/** The major version of the event format that this release reads and writes. */
export const EVENT_VERSION = 1;

/** Thrown when an event was written by a release with a newer format: nothing of it may be used. */
export class EventVersionError extends Error {
  readonly code = "SBX_EVENT_VERSION";
  /** The version that the event carries. */
  readonly version: number;

  constructor(version: number) {
    super(`the event has format ${version}; this release reads up to ${EVENT_VERSION}`);
    this.name = "EventVersionError";
    this.version = version;
  }
}

/** Thrown when a text is not an event. */
export class EventFormatError extends Error {
  readonly code = "SBX_EVENT_FORMAT";
  /** Where in the event, as in `catalog.entries[3].key`; empty for the whole. */
  readonly path: string;

  constructor(path: string, expected: string, options?: ErrorOptions) {
    super(`${path === "" ? "the event" : path} is not ${expected}`, options);
    this.name = "EventFormatError";
    this.path = path;
  }
}

/** Writes an event as JSON. Maps become arrays of their values, sorted by key, so equal events give equal texts. */
export function encodeEvent(event: ChangeEvent): string {
  if (event.type === "delta") return JSON.stringify({ ...event, delta: encodeDelta(event.delta) });
  const { revision, entries, workloads, objects } = event.catalog;
  return JSON.stringify({
    v: event.v,
    type: event.type,
    catalog: { revision, entries: sorted(entries), workloads: sorted(workloads), objects: sorted(objects) },
  });
}

/**
 * Reads an event that `encodeEvent` wrote, frozen. Fields that this release does not know are ignored, and a missing
 * keyed set is an empty one. Checks the frame and the keys; the records were checked before they became an event.
 * Throws an EventVersionError for a newer format and an EventFormatError for anything else that is no event.
 */
export function decodeEvent(text: string): ChangeEvent {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (cause) {
    throw new EventFormatError("", "JSON", { cause });
  }
  const event = record(parsed, "");
  const version = event["v"];
  if (typeof version !== "number") throw new EventFormatError("v", "a number");
  if (version > EVENT_VERSION) throw new EventVersionError(version);
  if (version !== 1) throw new EventFormatError("v", "a known version");
  switch (event["type"]) {
    case "snapshot":
      return Object.freeze({ v: 1, type: "snapshot", catalog: catalogFrom(event["catalog"]) });
    case "delta":
      return deepFreeze({
        v: 1,
        type: "delta",
        previous: revisionFrom(event["previous"], "previous"),
        revision: revisionFrom(event["revision"], "revision"),
        delta: deltaFrom(event["delta"]),
      });
    default:
      throw new EventFormatError("type", "snapshot or delta");
  }
}

/** A delta as JSON can hold it, sorted by key. */
export function encodeDelta({ entries, workloads, objects }: CatalogDelta): unknown {
  const keyed = <K extends string, V>(delta: Delta<K, V>, keyOf: (value: V) => K) => ({
    upserted: [...delta.upserted].sort((a, b) => byCodeUnit(keyOf(a), keyOf(b))),
    removed: [...delta.removed].sort(byCodeUnit),
  });
  return {
    entries: keyed(entries, (entry) => entry.key),
    workloads: keyed(workloads, (workload) => workload.key),
    objects: keyed(objects, objectKey),
  };
}

function sorted<K extends string, V>(map: ReadonlyMap<K, V>): readonly V[] {
  return [...map].sort(([a], [b]) => byCodeUnit(a, b)).map(([, value]) => value);
}

function catalogFrom(value: unknown): Catalog {
  const catalog = record(value, "catalog");
  const list = (name: string) => array(catalog[name], `catalog.${name}`);
  const entries = new Map<ServiceKey, CatalogEntry>();
  const workloads = new Map<WorkloadKey, Workload>();
  const objects = new Map<ObjectKey, ConfigObject>();
  for (const [i, item] of list("entries").entries()) {
    const entry = entryFrom(item, () => `catalog.entries[${i}]`);
    entries.set(entry.key, entry);
  }
  for (const [i, item] of list("workloads").entries()) {
    const workload = workloadFrom(item, () => `catalog.workloads[${i}]`);
    workloads.set(workload.key, workload);
  }
  for (const [i, item] of list("objects").entries()) {
    const object = objectFrom(item, () => `catalog.objects[${i}]`);
    objects.set(objectKey(object), object);
  }
  const revision = Object.freeze(revisionFrom(catalog["revision"], "catalog.revision"));
  return Object.freeze({ revision, entries, workloads, objects });
}

/** Reads what `encodeDelta` gave, after a trip through JSON. Throws an EventFormatError. */
export function deltaFrom(value: unknown): CatalogDelta {
  const delta = record(value, "delta");
  const keyed = <K extends string, V>(name: string, read: (item: unknown, path: Path) => V): Delta<K, V> => {
    const path = `delta.${name}`;
    const set = delta[name] === undefined ? {} : record(delta[name], path);
    const upserted = array(set["upserted"], `${path}.upserted`);
    const removed = array(set["removed"], `${path}.removed`);
    return {
      upserted: upserted.map((item, i) => read(item, () => `${path}.upserted[${i}]`)),
      removed: removed.map((item, i) => text(item, `${path}.removed[${i}]`) as K),
    };
  };
  return {
    entries: keyed("entries", entryFrom),
    workloads: keyed("workloads", workloadFrom),
    objects: keyed("objects", objectFrom),
  };
}

/** Where something stands. Asked for only where it is wrong: there are many records. */
type Path = () => string;

function entryFrom(value: unknown, path: Path): CatalogEntry {
  const entry = recordAt(value, path);
  textIn(entry, "key", path);
  for (const name of ["service", "versions"]) recordAt(entry[name], () => `${path()}.${name}`);
  for (const name of ["instances", "registries"]) {
    if (!Array.isArray(entry[name])) throw new EventFormatError(`${path()}.${name}`, "a list");
  }
  if (entry["unserved"] !== undefined) {
    const unserved = recordAt(entry["unserved"], () => `${path()}.unserved`);
    for (const [port, part] of Object.entries(unserved))
      if (typeof part !== "number") throw new EventFormatError(`${path()}.unserved.${port}`, "a number");
  }
  return deepFreezeParsed(entry as unknown as CatalogEntry);
}

function workloadFrom(value: unknown, path: Path): Workload {
  const workload = recordAt(value, path);
  textIn(workload, "key", path);
  return deepFreezeParsed(workload as unknown as Workload);
}

function objectFrom(value: unknown, path: Path): ConfigObject {
  const object = recordAt(value, path);
  for (const name of ["kind", "namespace", "name"]) textIn(object, name, path);
  return deepFreezeParsed(object as unknown as ConfigObject);
}

function revisionFrom(value: unknown, path: string): Revision {
  const { epoch, sequence } = record(value, path);
  if (typeof sequence !== "number" || !Number.isSafeInteger(sequence) || sequence < 0) {
    throw new EventFormatError(`${path}.sequence`, "a whole number");
  }
  return { epoch: text(epoch, `${path}.epoch`), sequence };
}

function record(value: unknown, path: string): Record<string, unknown> {
  return recordAt(value, () => path);
}

function recordAt(value: unknown, path: Path): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new EventFormatError(path(), "an object");
  return value as Record<string, unknown>;
}

function array(value: unknown, path: string): readonly unknown[] {
  if (value === undefined) return [];
  if (!Array.isArray(value)) throw new EventFormatError(path, "a list");
  return value as readonly unknown[];
}

function text(value: unknown, path: string): string {
  if (typeof value !== "string") throw new EventFormatError(path, "a string");
  return value;
}

function textIn(record: Readonly<Record<string, unknown>>, name: string, path: Path): void {
  if (typeof record[name] !== "string") throw new EventFormatError(`${path()}.${name}`, "a string");
}
