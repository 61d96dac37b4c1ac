import type { TypeUrl } from "@signalbox/envoy-api";
import { atOnce, each, type Steps } from "@signalbox/slices";
import type { Resource, ResourceView } from "../resource.ts";
import { byCodeUnits } from "../code-units.ts";
import { SetVersion } from "../set-version.ts";
import { ChangeHistory, type PastChanges } from "./change-history.ts";
import type { Frame } from "./frame.ts";
import { JointWork } from "./joint-work.ts";
import type { SharedNames } from "./names.ts";
import { sortedByName } from "./outgoing.ts";
import { resourceKind } from "./resource-kinds.ts";

/** The part of a type that equal named subscriptions see: only its version, the content is in the type's state. */
export interface Selection {
  readonly names: ReadonlySet<string>;
  /** `undefined` until somebody asked for it. */
  readonly version: SetVersion | undefined;
}

interface CountedSelection extends Selection {
  version: SetVersion | undefined;
  uses: number;
}

/** All that equal subscriptions have to be told while they hold nothing. The same object until the content changes. */
export interface Whole {
  /** Sorted by name. */
  readonly resources: readonly Resource[];
  /** Names that are subscribed and do not exist, sorted. */
  readonly missing: readonly string[];
  /** Versions of both, as in the key of a delta response. */
  readonly key: string;
}

/** What a change is to equal subscriptions that have nothing else to be told. */
export interface Part {
  /** Sorted by name. */
  readonly resources: readonly Resource[];
  /** Of the names that changed, those that do not exist, sorted; none of a type whose removals are told later. */
  readonly gone: readonly string[];
  /** Of `resources`. */
  readonly version: string;
  /** Versions of both, as in the key of a delta response. */
  readonly key: string;
}

/** The version of a set of contents. */
export function* versionOfAll(resources: Iterable<Resource>): Steps<SetVersion> {
  const version = new SetVersion();
  yield* each(resources, (resource) => {
    version.add(resource);
  });
  return version;
}

/** The key of a delta response with this content. */
export function* deltaKey(resources: readonly Resource[], gone: readonly string[]): Steps<string> {
  return keyOf(yield* versionOfAll(resources), gone);
}

function keyOf(version: SetVersion, gone: readonly string[]): string {
  const goneVersion = gone.length === 0 ? "" : SetVersion.of(gone.map((name) => ({ name, version: "" }))).toString();
  return `delta/${version.toString()}/${goneVersion}`;
}

/** So many resources are taken between two yields. */
const takenInStep = 32;
const maxFrames = 32;
const maxWholes = 32;
const maxParts = 8;
const maxEncoding = 4;
const maxFrameBytes = 32 * 1024 * 1024;
/** So many names of older changes are kept beyond as many as there are: always those of one change of everything. */
const historySlack = 1_000;

/**
 * One resource type of one view, as all streams on that view last saw it: what exists, the versions of the named
 * subsets, and the responses encoded so far. Work is done once for each change, by whichever stream hears of it first.
 */
export class TypeState {
  readonly type: TypeUrl;
  readonly #view: ResourceView;
  readonly #known = new Map<string, Resource>();
  readonly #all = new SetVersion();
  readonly #selections = new Map<SharedNames, CountedSelection>();
  /** Another object with each change: streams that hear of the change later keep it until then. */
  #removed = new Map<string, Resource>();
  readonly #history = new ChangeHistory();
  readonly #frames = new Map<string, Frame>();
  /** By the names; `undefined` is the wildcard. */
  readonly #wholes = new Map<SharedNames | undefined, JointWork<Whole>>();
  /** By the names that changed, then by those that are subscribed. */
  readonly #parts = new Map<ReadonlySet<string>, Map<SharedNames | undefined, JointWork<Part>>>();
  /** By the names that changed. */
  readonly #syncs = new WeakMap<ReadonlySet<string>, JointWork<ReadonlyMap<string, Resource>>>();
  /** Responses that somebody encodes. */
  readonly #encoding = new Map<string, JointWork<Frame>>();
  #frameBytes = 0;
  #viewVersion: string | undefined;
  /** Grows with every change of content. */
  epoch = 0;
  uses = 0;

  /** Knows nothing before `sync`. */
  constructor(view: ResourceView, type: TypeUrl) {
    this.#view = view;
    this.type = type;
  }

  /** What exists, by name. Call `sync` first. */
  get known(): ReadonlyMap<string, Resource> {
    return this.#known;
  }

  /** Version of everything, for wildcard subscriptions. */
  get version(): SetVersion {
    return this.#all;
  }

  /** What changed after an epoch; `undefined` where that is long ago. */
  changedSince(epoch: number): PastChanges | undefined {
    return this.#history.since(epoch);
  }

  /** What the last change removed, so that a response can carry it a little longer. */
  get removed(): ReadonlyMap<string, Resource> {
    return this.#removed;
  }

  /**
   * Takes over what exists in steps. Ends early when the view changes meanwhile, or somebody begins to use this; `sync` does
   * what is left.
   */
  *fill(): Steps<undefined> {
    const version = this.#view.version(this.type);
    const current = this.#view.resources(this.type);
    const { epoch } = this;
    let taken = 0;
    for (const [name, resource] of current) {
      this.#take(name, resource, epoch);
      taken++;
      if (taken % takenInStep > 0) continue;
      yield;
      if (this.uses > 0 || this.#view.version(this.type) !== version || this.#view.resources(this.type) !== current)
        return undefined;
    }
    if (this.#all.toString() === version) this.#viewVersion = version;
    return undefined;
  }

  /** Takes over what changed. `names` is where to look; what the view changed beyond them is found by its version. */
  sync(names?: ReadonlySet<string>): void {
    const version = this.#view.version(this.type);
    if (version === this.#viewVersion) return;
    const current = this.#view.resources(this.type);
    const before = this.epoch;
    if (names !== undefined && this.#viewVersion !== undefined) {
      for (const name of names) this.#take(name, current.get(name), before);
    }
    this.#viewVersion = version;
    if (names !== undefined && version === this.#all.toString()) return;
    for (const name of [...this.#known.keys()]) if (!current.has(name)) this.#take(name, undefined, before);
    for (const [name, resource] of current) this.#take(name, resource, before);
  }

  /**
   * Takes over what became of these names in steps, in which all who hear of the change take part. The result is the content of what
   * is gone. Whoever needs the state meanwhile calls `sync`, as always.
   */
  syncing(names: ReadonlySet<string>): Steps<ReadonlyMap<string, Resource>> {
    let work = this.#syncs.get(names);
    if (work === undefined) this.#syncs.set(names, (work = new JointWork(this.#takingNames(names))));
    return work.take();
  }

  *#takingNames(names: ReadonlySet<string>): Steps<ReadonlyMap<string, Resource>> {
    const gone = new Map<string, Resource>();
    let taken = 0;
    let current = this.#view.resources(this.type);
    let { epoch } = this;
    for (const name of names) {
      const before = this.#known.get(name) ?? this.#removed.get(name);
      const after = current.get(name);
      this.#take(name, after, epoch);
      if (before !== undefined && after === undefined) gone.set(name, before);
      taken++;
      if (taken % takenInStep > 0) continue;
      yield;
      current = this.#view.resources(this.type);
      // Who read the state between the steps read another one each time.
      ({ epoch } = this);
    }
    const version = this.#view.version(this.type);
    if (this.#all.toString() === version) this.#viewVersion = version;
    return gone;
  }

  #take(name: string, after: Resource | undefined, epochBefore: number): void {
    const before = this.#known.get(name);
    if (before === after || before?.version === after?.version) return;
    if (this.epoch === epochBefore) {
      this.epoch++;
      this.#removed = new Map();
      this.#frames.clear();
      this.#encoding.clear();
      this.#wholes.clear();
      this.#parts.clear();
      this.#frameBytes = 0;
    }
    if (after === undefined) this.#known.delete(name);
    else this.#known.set(name, after);
    if (before !== undefined && after === undefined) this.#removed.set(name, before);
    if (this.uses === 0) this.#history.forget(this.epoch);
    else
      this.#history.note(this.epoch, name, after === undefined ? before : undefined, this.#known.size + historySlack);
    this.#all.replace(before, after);
    for (const selection of this.#selections.values()) {
      if (selection.version !== undefined && selection.names.has(name)) selection.version.replace(before, after);
    }
  }

  /** The subset that these names select. Release it when done. */
  select(shared: SharedNames): Selection {
    let selection = this.#selections.get(shared);
    if (selection === undefined) {
      selection = { names: shared.names, version: undefined, uses: 0 };
      this.#selections.set(shared, selection);
    }
    selection.uses++;
    return selection;
  }

  release(shared: SharedNames): void {
    const selection = this.#selections.get(shared);
    if (selection === undefined) return;
    selection.uses--;
    if (selection.uses === 0) this.#selections.delete(shared);
  }

  /** The resources among `names` that exist. */
  existing(names: Iterable<string>): Resource[] {
    const found: Resource[] = [];
    for (const name of names) {
      const resource = this.#known.get(name);
      if (resource !== undefined) found.push(resource);
    }
    return found;
  }

  /** The version of a subset. Nothing may change between its steps. */
  *versionOf(selection: Selection): Steps<SetVersion> {
    const counted = selection as CountedSelection;
    if (counted.version !== undefined) return counted.version;
    const { epoch } = this;
    const version = yield* versionOfAll(this.existing(selection.names));
    if (this.epoch === epoch) counted.version = version;
    return version;
  }

  /** What a client that holds nothing has to be told when it asks for these names, or for everything. */
  whole(shared: SharedNames | undefined): Steps<Whole> {
    let work = this.#wholes.get(shared);
    if (work === undefined) {
      work = new JointWork(this.#makeWhole(shared));
      this.#wholes.set(shared, work);
      const [oldest] = this.#wholes.keys();
      if (this.#wholes.size > maxWholes) this.#wholes.delete(oldest);
    }
    return work.take();
  }

  *#makeWhole(shared: SharedNames | undefined): Steps<Whole> {
    const { epoch } = this;
    let found = shared === undefined ? { existing: [...this.#known.values()], missing: [] } : yield* this.#find(shared);
    // What changed between the steps would be in it by half.
    if (shared !== undefined && this.epoch !== epoch) found = atOnce(this.#find(shared));
    yield;
    const missing = found.missing.sort(byCodeUnits);
    const resources = yield* sortedByName(found.existing);
    return { resources, missing, key: yield* deltaKey(resources, missing) };
  }

  *#find({ names }: SharedNames): Steps<{ readonly existing: Resource[]; readonly missing: string[] }> {
    const existing: Resource[] = [];
    const missing: string[] = [];
    yield* each(names, (name) => {
      const resource = this.#known.get(name);
      if (resource === undefined) missing.push(name);
      else existing.push(resource);
    });
    return { existing, missing };
  }

  /** What the change of these names is to a client that asks for `shared`, or for everything. */
  part(changed: ReadonlySet<string>, shared: SharedNames | undefined): Steps<Part> {
    let parts = this.#parts.get(changed);
    if (parts === undefined) {
      if (this.#parts.size >= maxParts) this.#parts.clear();
      this.#parts.set(changed, (parts = new Map<SharedNames | undefined, JointWork<Part>>()));
    }
    let work = parts.get(shared);
    if (work === undefined) {
      if (parts.size >= maxWholes) parts.clear();
      parts.set(shared, (work = new JointWork(this.#makePart(changed, shared))));
    }
    return work.take();
  }

  *#makePart(changed: ReadonlySet<string>, shared: SharedNames | undefined): Steps<Part> {
    const existing: Resource[] = [];
    const gone: string[] = [];
    const { removedLast } = resourceKind(this.type);
    yield* each(changed, (name) => {
      if (shared !== undefined && !shared.names.has(name)) return;
      const resource = this.#known.get(name);
      if (resource !== undefined) existing.push(resource);
      else if (!removedLast) gone.push(name);
    });
    gone.sort(byCodeUnits);
    const resources = yield* sortedByName(existing);
    const version = yield* versionOfAll(resources);
    return { resources, gone, version: version.toString(), key: keyOf(version, gone) };
  }

  /**
   * The response with this content, encoded by whoever asks first, with a nonce that is not in use on the stream. The
   * content must change when anything does that `encode` reads.
   */
  *frame(key: string, nonces: { inUse(nonce: string): boolean }, encode: () => Steps<Frame>): Steps<Frame> {
    const cached = this.#frames.get(key);
    if (cached !== undefined && !nonces.inUse(cached.nonce)) return cached;
    const { epoch } = this;
    const known = cached === undefined ? this.#encoding.get(key) : undefined;
    const work = known ?? new JointWork(encode());
    if (cached === undefined) {
      // What nobody goes on with, because its streams are gone, must not stay.
      if (known === undefined && this.#encoding.size >= maxEncoding) this.#encoding.clear();
      this.#encoding.set(key, work);
    }
    const frame = yield* work.take();
    if (this.#encoding.get(key) === work) this.#encoding.delete(key);
    if (this.epoch !== epoch || this.#frames.get(key) === frame) return frame;
    this.#keepFrame(key, frame);
    return frame;
  }

  #keepFrame(key: string, frame: Frame): void {
    this.#frameBytes += frame.length - (this.#frames.get(key)?.length ?? 0);
    this.#frames.delete(key);
    this.#frames.set(key, frame);
    for (const [oldest, { length }] of this.#frames) {
      if (oldest === key || (this.#frames.size <= maxFrames && this.#frameBytes <= maxFrameBytes)) break;
      this.#frames.delete(oldest);
      this.#frameBytes -= length;
    }
  }
}
