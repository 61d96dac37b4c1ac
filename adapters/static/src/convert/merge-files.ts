import { isDeepStrictEqual } from "node:util";
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
import { atOnce, each, type Steps } from "@signalbox/slices";
import { changedContents } from "./changed-contents.ts";
import {
  placeOf,
  type FileContent,
  type PartContent,
  type Place,
  type Placed,
  type StaticFault,
} from "./file-content.ts";
import { RefusedObjects } from "./refused-objects.ts";

/** What all files say together, in no order. */
export interface MergedFiles {
  readonly records: ReadonlyMap<ServiceKey, ServiceRecord>;
  readonly workloads: ReadonlyMap<WorkloadKey, Workload>;
  /** Also objects that cannot be used, where no file has a usable form of them: who reads them says of each what is wrong with it. */
  readonly objects: ReadonlyMap<ObjectKey, ConfigObject>;
  /** The same thing said differently in two places: the first place wins. */
  readonly conflicts: readonly StaticFault[];
}

/** What changed in all that files say. */
export interface FilesDelta {
  readonly records: Delta<ServiceKey, ServiceRecord>;
  readonly workloads: Delta<WorkloadKey, Workload>;
  readonly objects: Delta<ObjectKey, ConfigObject>;
}

/**
 * Puts files together. A service that is defined equally in several places has the endpoints of all of them; of different definitions the first
 * wins, by file name and then by place, and the other is a conflict. What only one file says keeps its identity, and work follows the change:
 * what a file says still costs next to nothing. Work on many things comes also in steps; until the last of them nobody else may use it.
 */
export class FileMerge implements MergedFiles {
  readonly #files = new Map<string, FileContent>();
  readonly #services = new Shelf<ServiceKey, ServiceRecord>("service", joinRecords);
  readonly #workloads = new Shelf<WorkloadKey, Workload>("workload", same);
  readonly #objects = new Shelf<ObjectKey, ConfigObject>("object", same);
  readonly #refused = new RefusedObjects();

  constructor(files: Iterable<readonly [string, FileContent]> = []) {
    for (const [file, content] of files) this.set(file, content);
    this.changes();
  }

  /** What a file said last. */
  get(file: string): FileContent | undefined {
    return this.#files.get(file);
  }

  /** How many files there are. */
  get size(): number {
    return this.#files.size;
  }

  get records(): ReadonlyMap<ServiceKey, ServiceRecord> {
    return this.#services.values;
  }

  get workloads(): ReadonlyMap<WorkloadKey, Workload> {
    return this.#workloads.values;
  }

  get objects(): ReadonlyMap<ObjectKey, ConfigObject> {
    return this.#refused.beside(this.#objects.values);
  }

  get conflicts(): readonly StaticFault[] {
    const files = this.#files;
    return [this.#services, this.#workloads, this.#objects].flatMap((shelf) => shelf.conflicts(files));
  }

  /** Takes what a file says now; undefined: the file is gone. `changes` tells what came of it. */
  set(file: string, content: FileContent | undefined): void {
    atOnce(this.setting(file, content));
  }

  /** The same in steps, one part of a file in each. */
  *setting(file: string, content: FileContent | undefined): Steps<undefined> {
    const { removed, added } = changedContents(this.#files.get(file)?.parts ?? [], content?.parts ?? []);
    if (content === undefined) this.#files.delete(file);
    else this.#files.set(file, content);
    for (const part of removed) {
      yield* each(part.records, ({ key }) => this.#services.remove(key, file, part));
      yield* each(part.workloads, ({ key }) => this.#workloads.remove(key, file, part));
      yield* each(part.objects, ({ key }) => this.#objects.remove(key, file, part));
      yield;
    }
    for (const part of added) {
      yield* each(part.records, (placed) => this.#services.add(placed, file, part));
      yield* each(part.workloads, (placed) => this.#workloads.add(placed, file, part));
      yield* each(part.objects, (placed) => this.#objects.add(placed, file, part));
      yield;
    }
    return undefined;
  }

  /** Takes which objects of a file cannot be used now, whatever `set` was told; undefined: there are none, or the file is gone. */
  refuse(file: string, content: FileContent | undefined): void {
    this.#refused.set(file, content?.parts.flatMap((part) => part.content.refused) ?? []);
  }

  /** What changed since this was last asked; undefined where nothing did. */
  changes(): FilesDelta | undefined {
    return atOnce(this.changing());
  }

  /** The same in steps, some keys in each. */
  *changing(): Steps<FilesDelta | undefined> {
    const records = yield* this.#services.changing(this.#files);
    const workloads = yield* this.#workloads.changing(this.#files);
    const objects = this.#refused.changes(this.#objects.values, yield* this.#objects.changing(this.#files));
    const empty = [records, workloads, objects].every(
      ({ upserted, removed }) => upserted.length + removed.length === 0,
    );
    return empty ? undefined : { records, workloads, objects };
  }
}

/** Whoever says something of a key: a part of a file. */
interface Owner<K extends string, T> {
  readonly file: string;
  readonly part: PartContent;
  readonly placed: Placed<K, T>;
}

type Files = ReadonlyMap<string, FileContent>;

/** Things of one kind, by key. */
class Shelf<K extends string, T> {
  readonly values = new Map<K, T>();
  readonly #what: string;
  readonly #join: (first: T, second: T) => T | undefined;
  /** Nearly always there is one, and a list for each would be much memory. */
  readonly #owners = new Map<K, Owner<K, T> | readonly Owner<K, T>[]>();
  readonly #touched = new Set<K>();
  readonly #disputed = new Set<K>();

  constructor(what: string, join: (first: T, second: T) => T | undefined) {
    this.#what = what;
    this.#join = join;
  }

  add(placed: Placed<K, T>, file: string, part: PartContent): void {
    const owner = { file, part, placed };
    if (this.#owners.has(placed.key)) this.#put(placed.key, [...this.#ownersOf(placed.key), owner]);
    else this.#put(placed.key, [owner]);
  }

  remove(key: K, file: string, part: PartContent): void {
    const owners = this.#ownersOf(key);
    const gone = owners.findIndex((owner) => owner.part === part && owner.file === file);
    this.#put(
      key,
      owners.filter((_, index) => index !== gone),
    );
  }

  *changing(files: Files): Steps<Delta<K, T>> {
    const upserted: T[] = [];
    const removed: K[] = [];
    yield* each(this.#touched, (key) => {
      const before = this.values.get(key);
      const now = this.#resolve(key, files);
      if (now === undefined) {
        this.values.delete(key);
        if (before !== undefined) removed.push(key);
      } else if (before === undefined || (before !== now && !isDeepStrictEqual(before, now))) {
        this.values.set(key, now);
        upserted.push(now);
      }
    });
    this.#touched.clear();
    return { upserted, removed };
  }

  conflicts(files: Files): readonly StaticFault[] {
    const found: StaticFault[] = [];
    for (const key of this.#disputed) {
      const sorted = inOrder(this.#ownersOf(key), files);
      const [first] = sorted;
      if (first === undefined) continue;
      this.#fold(sorted, (other) => {
        const { file, line, column } = first.place();
        const message = `${this.#what} ${key} is defined differently at ${file}:${line}:${column}, which comes first and wins`;
        found.push({ ...other.place(), severity: "error", field: "", message });
      });
    }
    return found.sort((a, b) => byCodeUnit(a.file, b.file) || a.line - b.line || a.column - b.column);
  }

  #ownersOf(key: K): readonly Owner<K, T>[] {
    const owners = this.#owners.get(key) ?? [];
    return "placed" in owners ? [owners] : owners;
  }

  #put(key: K, owners: readonly Owner<K, T>[]): void {
    this.#touched.add(key);
    const [only] = owners;
    if (only === undefined) this.#owners.delete(key);
    else this.#owners.set(key, owners.length === 1 ? only : owners);
  }

  #resolve(key: K, files: Files): T | undefined {
    this.#disputed.delete(key);
    const owners = this.#ownersOf(key);
    if (owners.length < 2) return owners[0]?.placed.value;
    return this.#fold(inOrder(owners, files), () => this.#disputed.add(key));
  }

  #fold(sorted: readonly OwnerInOrder<K, T>[], refused: (owner: OwnerInOrder<K, T>) => void): T | undefined {
    let value: T | undefined;
    for (const owner of sorted) {
      const joined = value === undefined ? owner.placed.value : this.#join(value, owner.placed.value);
      if (joined === undefined) refused(owner);
      else value = joined;
    }
    return value;
  }
}

interface OwnerInOrder<K extends string, T> extends Owner<K, T> {
  readonly place: () => Place;
}

/** By file name, then by place. */
function inOrder<K extends string, T>(owners: readonly Owner<K, T>[], files: Files): readonly OwnerInOrder<K, T>[] {
  const seen = new Map<Placed<K, T>, number>();
  const located = owners.map((owner, order) => {
    // The same content may stand in several places; then it is there as often.
    const from = seen.get(owner.placed) ?? 0;
    const parts = files.get(owner.file)?.parts ?? [];
    const index = parts.findIndex(({ content }, place) => place >= from && content === owner.part);
    seen.set(owner.placed, index + 1);
    return { ...owner, order, index, at: parts[index] };
  });
  located.sort((a, b) => byCodeUnit(a.file, b.file) || a.index - b.index || a.order - b.order);
  return located.map(({ at, ...owner }) => {
    const nowhere = { file: owner.file, document: 0, line: 1, column: 1 };
    return { ...owner, place: () => (at === undefined ? nowhere : placeOf(owner.file, at, owner.placed.path)) };
  });
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
