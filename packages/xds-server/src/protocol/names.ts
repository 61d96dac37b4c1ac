import { hash } from "node:crypto";
import { readNames, type NameLimits } from "./request.ts";

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

/** FNV-1a over code units: cheap, and a hit is verified, so that nobody can make two sets look like one. */
function hashOf(name: string): number {
  let value = 0x811c9dc5;
  for (let at = 0; at < name.length; at++) value = Math.imul(value ^ name.charCodeAt(at), 0x01000193);
  return value >>> 0;
}

function keyOf(names: ReadonlySet<string>): string {
  let sum = 0;
  let mix = 0;
  for (const name of names) {
    const value = hashOf(name);
    sum = (sum + value) >>> 0;
    mix = (mix ^ Math.imul(value, 0x9e3779b1)) >>> 0;
  }
  return `${names.size}:${sum}:${mix}`;
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

  /** The names in a run of `resource_names` fields; parsed only when no live subscription spelled them the same way. */
  acquireRun(run: Uint8Array, limits: NameLimits): NameRun {
    const key = hash("sha256", run, "base64url");
    let counted = this.#runs.get(key);
    if (counted === undefined) {
      const shared = this.acquire(new Set(readNames(run, limits)));
      counted = { key, run: Uint8Array.from(run), shared, names: shared.names, uses: 0 };
      this.#runs.set(key, counted);
    }
    counted.uses++;
    return counted;
  }

  releaseRun(run: NameRun): void {
    const counted = run as CountedRun;
    counted.uses--;
    if (counted.uses > 0) return;
    this.#runs.delete(counted.key);
    this.release(counted.shared);
  }

  /** A shared set equal to `names`. */
  acquire(names: ReadonlySet<string>): SharedNames {
    const key = keyOf(names);
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
  readonly #added = new Set<string>();
  readonly #dropped = new Set<string>();
  #counted = 0;

  constructor(table: NameTable, names: Iterable<string>) {
    this.#table = table;
    this.#base = table.acquire(new Set(names));
  }

  get size(): number {
    return this.#base.names.size + this.#added.size - this.#dropped.size;
  }

  has(name: string): boolean {
    return this.#added.has(name) || (this.#base.names.has(name) && !this.#dropped.has(name));
  }

  *[Symbol.iterator](): Iterator<string> {
    for (const name of this.#base.names) if (!this.#dropped.has(name)) yield name;
    yield* this.#added;
  }

  add(name: string): void {
    if (this.#base.names.has(name)) this.#dropped.delete(name);
    else this.#added.add(name);
    this.#rebase();
  }

  delete(name: string): boolean {
    if (this.#added.delete(name)) {
      this.#count();
      return true;
    }
    if (!this.#base.names.has(name) || this.#dropped.has(name)) return false;
    this.#dropped.add(name);
    this.#rebase();
    return true;
  }

  /** The part of the names in memory that this subscription is charged with. */
  get cost(): number {
    return this.#table.costOf(this.#base) + this.#counted;
  }

  release(): void {
    this.#added.clear();
    this.#dropped.clear();
    this.#count();
    this.#table.release(this.#base);
  }

  #count(): void {
    const difference = this.#added.size + this.#dropped.size;
    this.#table.count(difference - this.#counted);
    this.#counted = difference;
  }

  #rebase(): void {
    this.#count();
    if (this.#counted <= Math.max(smallOverlay, this.#base.names.size / 4)) return;
    const names = new Set(this);
    this.#table.release(this.#base);
    this.#base = this.#table.acquire(names);
    this.#added.clear();
    this.#dropped.clear();
    this.#count();
  }
}
