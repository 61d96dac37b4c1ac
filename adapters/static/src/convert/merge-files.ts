import { isDeepStrictEqual } from "node:util";
import {
  byCodeUnit,
  contentHash,
  objectKey,
  serviceKey,
  serviceVersion,
  type ConfigObject,
  type Delta,
  type ObjectKey,
  type Provenance,
  type ServiceKey,
  type ServiceRecord,
  type Workload,
  type WorkloadKey,
} from "@signalbox/model";
import type { FileContent, Placed, StaticFault } from "./file-content.ts";

/** What all files say together, in the order of their names. */
export interface MergedFiles {
  readonly records: ReadonlyMap<ServiceKey, ServiceRecord>;
  readonly workloads: ReadonlyMap<WorkloadKey, Workload>;
  readonly objects: ReadonlyMap<ObjectKey, ConfigObject>;
  /** The same thing said differently in two places: the first place wins. */
  readonly conflicts: readonly StaticFault[];
}

/**
 * Puts files together. A service that is defined equally in several places has the endpoints of all of them; of different definitions the first
 * wins, by file name and then by place, and the other is a conflict. What only one file says keeps its identity, so that work follows the change.
 */
export function mergeFiles(files: ReadonlyMap<string, FileContent>): MergedFiles {
  const contents = [...files].sort(([a], [b]) => byCodeUnit(a, b)).map(([, content]) => content);
  const conflicts: StaticFault[] = [];
  const collect = <K extends string, T>(
    items: readonly Placed<T>[],
    what: string,
    keyOf: (value: T) => K,
    join: (first: T, second: T) => T | undefined,
  ): ReadonlyMap<K, T> => {
    const first = new Map<K, Placed<T>>();
    for (const { value, place } of items) {
      const key = keyOf(value);
      const known = first.get(key);
      const joined = known === undefined ? value : join(known.value, value);
      if (joined !== undefined) {
        first.set(key, { value: joined, place: known?.place ?? place });
      } else if (known !== undefined) {
        const { file, line, column } = known.place();
        const message = `${what} ${key} is defined differently at ${file}:${line}:${column}, which comes first and wins`;
        conflicts.push({ ...place(), severity: "error", field: "", message });
      }
    }
    return new Map([...first].map(([key, { value }]) => [key, value]));
  };
  return {
    records: collect(
      contents.flatMap((file) => file.records),
      "service",
      ({ service }) => serviceKey(service),
      joinRecords,
    ),
    workloads: collect(
      contents.flatMap((file) => file.workloads),
      "workload",
      ({ key }) => key,
      same,
    ),
    objects: collect(
      contents.flatMap((file) => file.objects),
      "object",
      objectKey,
      same,
    ),
    conflicts,
  };
}

/**
 * The same with objects that cannot be used, where no file has a usable form of them: who reads the objects says of each what is wrong with it.
 * The first of several has the name.
 */
export function withRefused(merged: MergedFiles, refused: Iterable<ConfigObject>): MergedFiles {
  const objects = new Map(merged.objects);
  for (const object of refused) {
    const key = objectKey(object);
    if (!objects.has(key)) objects.set(key, object);
  }
  return { ...merged, objects };
}

function joinRecords(first: ServiceRecord, second: ServiceRecord): ServiceRecord | undefined {
  if (serviceVersion(first.service) !== serviceVersion(second.service)) return undefined;
  const ids = new Set(first.instances.map(({ id }) => id));
  return {
    service: first.service,
    instances: [...first.instances, ...second.instances.filter(({ id }) => !ids.has(id))],
  };
}

function same<T extends { readonly provenance: Provenance }>(first: T, second: T): T | undefined {
  const content = ({ provenance: _, ...rest }: T) => contentHash(rest);
  return content(first) === content(second) ? first : undefined;
}

/** What changed from one state of the files to the next; undefined where nothing did. */
export function diffFiles(before: MergedFiles, now: MergedFiles) {
  const records = diff(before.records, now.records);
  const workloads = diff(before.workloads, now.workloads);
  const objects = diff(before.objects, now.objects);
  const empty = [records, workloads, objects].every(({ upserted, removed }) => upserted.length + removed.length === 0);
  return empty ? undefined : { records, workloads, objects };
}

function diff<K, V>(before: ReadonlyMap<K, V>, now: ReadonlyMap<K, V>): Delta<K, V> {
  const changed = ([key, value]: readonly [K, V]) => {
    const old = before.get(key);
    return old !== value && !isDeepStrictEqual(old, value);
  };
  return {
    upserted: [...now].filter(changed).map(([, value]) => value),
    removed: [...before.keys()].filter((key) => !now.has(key)),
  };
}
