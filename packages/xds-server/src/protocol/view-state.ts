import type { TypeUrl } from "@signalbox/envoy-api";
import type { Resource, ResourceView } from "../resource.ts";
import { byCodeUnits } from "../code-units.ts";
import { SetVersion } from "../set-version.ts";
import type { Frame } from "./frame.ts";
import type { SharedNames } from "./names.ts";
import { sortedByName } from "./outgoing.ts";

/** The part of a type that equal named subscriptions see: only its version, the content is in the type's state. */
export interface Selection {
  readonly names: ReadonlySet<string>;
  readonly version: SetVersion;
}

interface CountedSelection extends Selection {
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

/** The key of a delta response with this content. */
export function deltaKey(resources: readonly Resource[], gone: readonly string[]): string {
  const goneVersion = gone.length === 0 ? "" : SetVersion.of(gone.map((name) => ({ name, version: "" }))).toString();
  return `delta/${SetVersion.of(resources).toString()}/${goneVersion}`;
}

const maxFrames = 32;
const maxWholes = 32;
const maxFrameBytes = 32 * 1024 * 1024;

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
  readonly #removed = new Map<string, Resource>();
  readonly #frames = new Map<string, Frame>();
  /** By the names; `undefined` is the wildcard. */
  readonly #wholes = new Map<SharedNames | undefined, Whole>();
  #frameBytes = 0;
  #viewVersion: string | undefined;
  /** Grows with every change of content. */
  epoch = 0;
  uses = 0;

  constructor(view: ResourceView, type: TypeUrl) {
    this.#view = view;
    this.type = type;
    this.sync();
  }

  /** What exists, by name. Call `sync` first. */
  get known(): ReadonlyMap<string, Resource> {
    return this.#known;
  }

  /** Version of everything, for wildcard subscriptions. */
  get version(): SetVersion {
    return this.#all;
  }

  /** What the last change removed, so that a response can carry it a little longer. */
  get removed(): ReadonlyMap<string, Resource> {
    return this.#removed;
  }

  /** Takes over what changed. `names` is where to look; what the view changed beyond them is found by its version. */
  sync(names?: ReadonlySet<string>): void {
    const current = this.#view.resources(this.type);
    const before = this.epoch;
    if (names !== undefined && this.#viewVersion !== undefined) {
      for (const name of names) this.#take(name, current.get(name), before);
    }
    const version = this.#view.version(this.type);
    if (version === this.#viewVersion) return;
    this.#viewVersion = version;
    if (names !== undefined && version === this.#all.toString()) return;
    for (const name of [...this.#known.keys()]) if (!current.has(name)) this.#take(name, undefined, before);
    for (const [name, resource] of current) this.#take(name, resource, before);
  }

  #take(name: string, after: Resource | undefined, epochBefore: number): void {
    const before = this.#known.get(name);
    if (before === after || before?.version === after?.version) return;
    if (this.epoch === epochBefore) {
      this.epoch++;
      this.#removed.clear();
      this.#frames.clear();
      this.#wholes.clear();
      this.#frameBytes = 0;
    }
    if (after === undefined) this.#known.delete(name);
    else this.#known.set(name, after);
    if (before !== undefined && after === undefined) this.#removed.set(name, before);
    this.#all.replace(before, after);
    for (const selection of this.#selections.values()) {
      if (selection.names.has(name)) selection.version.replace(before, after);
    }
  }

  /** The subset that these names select. Release it when done. */
  select(shared: SharedNames): Selection {
    let selection = this.#selections.get(shared);
    if (selection === undefined) {
      selection = { names: shared.names, version: SetVersion.of(this.existing(shared.names)), uses: 0 };
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

  /** What a client that holds nothing has to be told when it asks for these names, or for everything. */
  whole(shared: SharedNames | undefined): Whole {
    const known = this.#wholes.get(shared);
    if (known !== undefined) return known;
    const resources = sortedByName(shared === undefined ? this.#known.values() : this.existing(shared.names));
    const missing = [...(shared?.names ?? [])].filter((name) => !this.#known.has(name)).sort(byCodeUnits);
    const whole = { resources, missing, key: deltaKey(resources, missing) };
    this.#wholes.set(shared, whole);
    const [oldest] = this.#wholes.keys();
    if (this.#wholes.size > maxWholes) this.#wholes.delete(oldest);
    return whole;
  }

  /** The response with this content, encoded at the first call, with a nonce that is not in use on the stream. */
  frame(key: string, nonces: { inUse(nonce: string): boolean }, encode: () => Frame): Frame {
    const cached = this.#frames.get(key);
    if (cached !== undefined && !nonces.inUse(cached.nonce)) return cached;
    const frame = encode();
    this.#frames.delete(key);
    this.#frames.set(key, frame);
    this.#frameBytes += frame.bytes.length - (cached?.bytes.length ?? 0);
    for (const [oldest, { bytes }] of this.#frames) {
      if (oldest === key || (this.#frames.size <= maxFrames && this.#frameBytes <= maxFrameBytes)) break;
      this.#frames.delete(oldest);
      this.#frameBytes -= bytes.length;
    }
    return frame;
  }
}

/** The states of all views in use. Streams whose leases give the same view object share one. */
export class ViewStates {
  readonly #states = new WeakMap<ResourceView, Map<TypeUrl, TypeState>>();

  acquire(view: ResourceView, type: TypeUrl): TypeState {
    let types = this.#states.get(view);
    if (types === undefined) {
      types = new Map();
      this.#states.set(view, types);
    }
    let state = types.get(type);
    if (state === undefined) {
      state = new TypeState(view, type);
      types.set(type, state);
    } else state.sync();
    state.uses++;
    return state;
  }

  release(view: ResourceView, state: TypeState): void {
    state.uses--;
    if (state.uses === 0) this.#states.get(view)?.delete(state.type);
  }
}
