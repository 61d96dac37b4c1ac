import { atOnce, type Steps } from "@signalbox/slices";
import { keyedNames, keyOfRun, prepareRun, type KeyedNames, type PreparedRun } from "./prepared-run.ts";
import { namesOf, readNames, type NameLimits } from "./request.ts";
import { RunIndex } from "./run-index.ts";

/** What a subscription asks of its names. A `ReadonlySet` is one. */
export interface NameCollection extends Iterable<string> {
  readonly size: number;
  has(name: string): boolean;
}

/** A set of names that equal subscriptions of all streams share. */
export interface SharedNames {
  readonly names: ReadonlySet<string>;
}

/** Names as one request spelled them. `run` is shared too, so that an ACK is compared with bytes that are in memory once. */
export interface NameRun extends SharedNames {
  readonly run: Uint8Array;
  /** In the order in which they were spelled. */
  readonly list: readonly string[];
  readonly shared: SharedNames;
}

interface Counted {
  uses: number;
}
interface CountedNames extends SharedNames, Counted {
  readonly key: string;
}
interface CountedRun extends NameRun, Counted {
  readonly key: string;
}

function equalSets(a: ReadonlySet<string>, b: ReadonlySet<string>): boolean {
  if (a.size !== b.size) return false;
  for (const name of a) if (!b.has(name)) return false;
  return true;
}

/** Interns lists of names. Whatever is acquired must be released. */
export class NameTable {
  readonly #sets = new Map<string, CountedNames>();
  readonly #runs = new Map<string, CountedRun>();
  readonly #index = new RunIndex<CountedRun>();
  #size = 0;

  /** Names in all live sets, each set counted once, and what subscriptions hold beside the sets. */
  get size(): number {
    return this.#size;
  }

  /** Counts names that a subscription holds beside the sets. */
  count(names: number): void {
    this.#size += names;
  }

  /** The part of a set's names that one of its users is charged with. */
  costOf(shared: SharedNames): number {
    return shared.names.size / Math.max(1, (shared as CountedNames).uses);
  }

  /** The same for a run. */
  costOfRun(run: NameRun): number {
    return this.costOf(run.shared) / Math.max(1, (run as CountedRun).uses);
  }

  /**
   * A run of a live subscription that `bytes` repeat at `start`; `undefined` when none is found, which does not mean that
   * there is none. Good until the next release.
   */
  runAt(bytes: Uint8Array, start: number): NameRun | undefined {
    return this.#index.find(bytes, start);
  }

  /**
   * The names in a run of `resource_names` fields; parsed only when no live subscription spelled them the same way, and
   * when the caller does not bring what it parsed.
   */
  acquireRun(run: Uint8Array, limits: NameLimits, parsed?: readonly string[]): NameRun {
    const counted = this.#indexed(run) ?? this.#knownOrNew(run, limits, parsed);
    counted.uses++;
    return counted;
  }

  #knownOrNew(run: Uint8Array, limits: NameLimits, parsed: readonly string[] | undefined): CountedRun {
    const key = atOnce(keyOfRun(run));
    return this.#runs.get(key) ?? this.#newRun(atOnce(prepareRun(run, key, parsed ?? readNames(run, limits))));
  }

  /**
   * In steps, what `acquirePrepared` takes. `undefined` when a live subscription spelled it the same way: then there is
   * nothing to prepare, until the next release.
   */
  *prepare(run: Uint8Array, limits: NameLimits, parsed?: readonly string[]): Steps<PreparedRun | undefined> {
    if (this.#indexed(run) !== undefined) return undefined;
    const key = yield* keyOfRun(run);
    if (this.#runs.has(key)) return undefined;
    return yield* prepareRun(run, key, parsed ?? (yield* namesOf(run, limits)));
  }

  /** The names in a run that was prepared. Equal ones may have come since: they are shared. */
  acquirePrepared(prepared: PreparedRun): NameRun {
    const counted = this.#indexed(prepared.run) ?? this.#runs.get(prepared.runKey) ?? this.#newRun(prepared);
    counted.uses++;
    return counted;
  }

  #indexed(run: Uint8Array): CountedRun | undefined {
    const found = this.#index.find(run, 0);
    return found?.run.length === run.length ? found : undefined;
  }

  #newRun({ run, runKey, list, names }: PreparedRun): CountedRun {
    const shared = this.#acquireKeyed(names);
    const counted = { key: runKey, run, list, shared, names: shared.names, uses: 0 };
    this.#runs.set(runKey, counted);
    this.#index.add(counted);
    return counted;
  }

  releaseRun(run: NameRun): void {
    const counted = run as CountedRun;
    counted.uses--;
    if (counted.uses > 0) return;
    this.#runs.delete(counted.key);
    this.#index.delete(counted);
    this.release(counted.shared);
  }

  /** A shared set of these names. */
  acquire(names: Iterable<string>): SharedNames {
    return this.#acquireKeyed(atOnce(keyedNames(names)));
  }

  #acquireKeyed({ names, key }: KeyedNames): SharedNames {
    let counted = this.#sets.get(key);
    if (counted === undefined || !equalSets(counted.names, names)) {
      // Another set with the same key keeps its place, and this one is counted but not shared.
      const taken = counted !== undefined;
      counted = { key, names, uses: 0 };
      if (!taken) this.#sets.set(key, counted);
      this.#size += names.size;
    }
    counted.uses++;
    return counted;
  }

  release(shared: SharedNames): void {
    const counted = shared as CountedNames;
    counted.uses--;
    if (counted.uses > 0) return;
    if (this.#sets.get(counted.key) === counted) this.#sets.delete(counted.key);
    this.#size -= counted.names.size;
  }
}

const smallOverlay = 64;

/**
 * The names of a delta subscription, which change one by one: a shared base and what differs from it. The base is made
 * anew when the difference has grown to a quarter of it, so a change costs amortised O(1).
 */
export class NameOverlay implements NameCollection {
  readonly #table: NameTable;
  #base: SharedNames;
  /** The base is that of a run, which is held in its place. */
  #run: NameRun | undefined;
  // Most subscriptions never change: these are made when they do.
  #added: Set<string> | undefined;
  #dropped: Set<string> | undefined;
  #counted = 0;

  /** Starts with `names`: a run becomes the overlay's, to release with it. */
  constructor(table: NameTable, names: Iterable<string> | NameRun) {
    this.#table = table;
    this.#run = "run" in names ? names : undefined;
    this.#base = "run" in names ? names.shared : table.acquire(names);
  }

  /** The shared set that this one is equal to; `undefined` while it differs from its base. */
  get shared(): SharedNames | undefined {
    return this.#counted === 0 ? this.#base : undefined;
  }

  get size(): number {
    return this.#base.names.size + (this.#added?.size ?? 0) - (this.#dropped?.size ?? 0);
  }

  has(name: string): boolean {
    return this.#added?.has(name) === true || (this.#base.names.has(name) && this.#dropped?.has(name) !== true);
  }

  *[Symbol.iterator](): Iterator<string> {
    for (const name of this.#base.names) if (this.#dropped?.has(name) !== true) yield name;
    if (this.#added !== undefined) yield* this.#added;
  }

  add(name: string): void {
    this.addAll([name]);
  }

  /** Adds them in one change, so that the base is made anew once at most. */
  addAll(names: Iterable<string>): void {
    for (const name of names) {
      if (this.#base.names.has(name)) this.#dropped?.delete(name);
      else (this.#added ??= new Set()).add(name);
    }
    this.#rebase();
  }

  delete(name: string): boolean {
    if (this.#added?.delete(name) === true) {
      this.#count();
      return true;
    }
    if (!this.#base.names.has(name) || this.#dropped?.has(name) === true) return false;
    (this.#dropped ??= new Set()).add(name);
    this.#rebase();
    return true;
  }

  /** The part of the names in memory that this subscription is charged with. */
  get cost(): number {
    const base = this.#run === undefined ? this.#table.costOf(this.#base) : this.#table.costOfRun(this.#run);
    return base + this.#counted;
  }

  release(): void {
    this.#forgetDifference();
    this.#releaseBase();
  }

  #forgetDifference(): void {
    this.#added = undefined;
    this.#dropped = undefined;
    this.#count();
  }

  #releaseBase(): void {
    if (this.#run === undefined) this.#table.release(this.#base);
    else this.#table.releaseRun(this.#run);
    this.#run = undefined;
  }

  #count(): void {
    const difference = (this.#added?.size ?? 0) + (this.#dropped?.size ?? 0);
    this.#table.count(difference - this.#counted);
    this.#counted = difference;
  }

  #rebase(): void {
    this.#count();
    if (this.#counted <= Math.max(smallOverlay, this.#base.names.size / 4)) return;
    const base = this.#table.acquire(this);
    this.#releaseBase();
    this.#base = base;
    this.#forgetDifference();
  }
}
