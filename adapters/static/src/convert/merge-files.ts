import { isDeepStrictEqual } from "node:util";
import type { DocumentPart } from "@signalbox/files";
import {
  byCodeUnit,
  contentHash,
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
import {
  placeOf,
  type FileContent,
  type PartContent,
  type Place,
  type Placed,
  type StaticFault,
} from "./file-content.ts";

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
  const names = [...files.keys()].sort(byCodeUnit);
  const records = new Collection<ServiceKey, ServiceRecord>("service", joinRecords);
  const workloads = new Collection<WorkloadKey, Workload>("workload", same);
  const objects = new Collection<ObjectKey, ConfigObject>("object", same);
  for (const file of names) {
    for (const part of files.get(file)?.parts ?? []) {
      for (const placed of part.content.records) records.add(placed, file, part);
      for (const placed of part.content.workloads) workloads.add(placed, file, part);
      for (const placed of part.content.objects) objects.add(placed, file, part);
    }
  }
  const conflicts = [records, workloads, objects].flatMap((collection) => collection.conflicts(files, names));
  return { records: records.values, workloads: workloads.values, objects: objects.values, conflicts };
}

/** Things of one kind, by key. */
class Collection<K extends string, T> {
  readonly values = new Map<K, T>();
  readonly #what: Member;
  readonly #join: (first: T, second: T) => T | undefined;
  readonly #refused: { readonly key: K; readonly place: () => Place }[] = [];

  constructor(what: Member, join: (first: T, second: T) => T | undefined) {
    this.#what = what;
    this.#join = join;
  }

  add({ key, value, path }: Placed<K, T>, file: string, part: DocumentPart<PartContent>): void {
    const known = this.values.get(key);
    const joined = known === undefined ? value : this.#join(known, value);
    if (joined === undefined) this.#refused.push({ key, place: () => placeOf(file, part, path) });
    else if (joined !== known) this.values.set(key, joined);
  }

  /** What was said differently before. Where that was is only looked for now: nearly always, nobody has to know. */
  conflicts(files: ReadonlyMap<string, FileContent>, names: readonly string[]): readonly StaticFault[] {
    const wanted = new Set<string>(this.#refused.map(({ key }) => key));
    const first = wanted.size === 0 ? undefined : placesOf(files, names, this.#what, wanted);
    return this.#refused.map(({ key, place }) => {
      const { file = "", line = 1, column = 1 } = first?.get(key) ?? {};
      const message = `${this.#what} ${key} is defined differently at ${file}:${line}:${column}, which comes first and wins`;
      return { ...place(), severity: "error" as const, field: "", message };
    });
  }
}

type Member = "service" | "workload" | "object";
const members = { service: "records", workload: "workloads", object: "objects" } as const;

/** Where each of these keys comes first. */
function placesOf(
  files: ReadonlyMap<string, FileContent>,
  names: readonly string[],
  what: Member,
  wanted: ReadonlySet<string>,
): ReadonlyMap<string, Place> {
  const places = new Map<string, Place>();
  for (const file of names) {
    for (const part of files.get(file)?.parts ?? []) {
      for (const { key, path } of part.content[members[what]]) {
        if (wanted.has(key) && !places.has(key)) places.set(key, placeOf(file, part, path));
      }
    }
  }
  return places;
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
  const upserted: V[] = [];
  let kept = 0;
  for (const [key, value] of now) {
    const old = before.get(key);
    if (old !== undefined) kept++;
    if (old !== value && !isDeepStrictEqual(old, value)) upserted.push(value);
  }
  // Whoever is still there was counted.
  const removed = kept === before.size ? [] : [...before.keys()].filter((key) => !now.has(key));
  return { upserted, removed };
}
