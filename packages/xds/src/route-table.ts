import { byCodeUnit } from "@signalbox/model";
import { atOnce, type Steps } from "@signalbox/slices";
import { SetVersion, type Resource } from "@signalbox/xds-server";
import { lostDomains, type Claimants } from "./domain-owners.ts";
import type { RouteClaim } from "./route-claim.ts";
import { joining, type Fallback } from "./routes.ts";
import {
  fallbackPiece,
  nothing,
  pieceOfHost,
  runOf,
  TableResource,
  type HostPiece,
  type Pieces,
  type Run,
} from "./table-resource.ts";

interface Stored {
  readonly claim: RouteClaim;
  readonly domains: readonly string[];
  /** The virtual host with all its domains; made when it is first needed. */
  part?: HostPiece;
}

/** The resource that was made of some editions of a table and of the one below. */
interface Made {
  readonly edition: number;
  readonly below: RouteTable | undefined;
  readonly editionBelow: number;
  readonly resource: Resource;
}

/** All virtual hosts of a table in one piece; that of `keys[i]` begins at `offsets[i]`. */
interface Strip {
  /** Sorted by code units. */
  readonly keys: readonly string[];
  readonly offsets: readonly number[];
  /** One for each key. */
  readonly parts: readonly HostPiece[];
  /** All of them joined; made when a table above first asks. */
  readonly bytes: () => Steps<Uint8Array>;
  /** Of all its pieces. */
  readonly version: SetVersion;
}

/** What stands at some keys instead of what was claimed there, because others have domains of it. */
type Instead = ReadonlyMap<string, HostPiece>;

/** A strip of which more than one in so many keys changed is made anew. */
const patchedShare = 16;

/**
 * The virtual hosts of one route table. Each stays encoded until its own service changes. Envoy refuses a table in
 * which a domain stands twice, so a domain that two services want goes to one of them. With a table below it has that
 * one's claims too, but for those that it sets or hides itself.
 */
export class RouteTable {
  readonly #name: string;
  readonly #fallback: Fallback;
  readonly #ignorePort: boolean;
  readonly #findBelow: () => RouteTable | undefined;
  readonly #claims = new Map<string, Stored>();
  readonly #hidden = new Set<string>();
  /** The keys that want each domain. Nearly every domain is wanted once. */
  readonly #claimants = new Map<string, string | Set<string>>();
  /** Domains that more than one key wants. */
  readonly #contested = new Set<string>();
  #strip: Strip | undefined;
  /** Keys that changed since the strip was made. */
  readonly #stale = new Set<string>();
  /** Claims and hidden keys as they were when the table was read last: what is withdrawn and claimed again alike is no change. */
  readonly #claimsBefore = new Map<string, Stored | undefined>();
  readonly #hiddenBefore = new Map<string, boolean>();
  #edition = 0;
  #made: Made | undefined;

  constructor(
    name: string,
    fallback: Fallback,
    ignorePort: boolean,
    below: () => RouteTable | undefined = () => undefined,
  ) {
    this.#name = name;
    this.#fallback = fallback;
    this.#ignorePort = ignorePort;
    this.#findBelow = below;
  }

  get isEmpty(): boolean {
    if (this.#claims.size > 0) return false;
    const below = this.#findBelow();
    if (below === undefined) return true;
    for (const key of below.#claims.keys()) if (!this.#hidden.has(key)) return false;
    return true;
  }

  /** Hides a claim of the table below, or shows it again. */
  hide(key: string, hidden: boolean): void {
    if (!this.#hiddenBefore.has(key)) this.#hiddenBefore.set(key, this.#hidden.has(key));
    if (hidden) this.#hidden.add(key);
    else this.#hidden.delete(key);
  }

  /** Sets or withdraws what a service port claims. `key` is the port's place in the order of virtual hosts. */
  claim(key: string, claim: RouteClaim | undefined): void {
    const before = this.#claims.get(key);
    const next = claim === undefined ? undefined : { claim, domains: domainsOf(claim) };
    if (!this.#claimsBefore.has(key)) this.#claimsBefore.set(key, before);
    for (const domain of before?.domains ?? []) this.#unclaim(key, domain.toLowerCase());
    for (const domain of next?.domains ?? []) this.#wish(key, domain.toLowerCase());
    if (next === undefined) this.#claims.delete(key);
    else this.#claims.set(key, next);
  }

  /** Encodes a claim ahead of `resource`. */
  prepare(key: string): void {
    const stored = this.#claims.get(key);
    if (stored !== undefined) SetVersion.of([partOf(stored)]);
  }

  /**
   * The table as a resource: virtual hosts by name, then the one for every other host. The same object until something in it changes: a
   * rule of which no route is made leaves all tables alone.
   */
  resource(): Resource {
    return atOnce(this.making());
  }

  /** As `resource`, in steps. What is claimed between two of them is in the table or is found by the next call. */
  *making(): Steps<Resource> {
    const below = this.#findBelow();
    const edition = this.#settledEdition();
    const editionBelow = below === undefined ? 0 : below.#settledEdition();
    const made = this.#made;
    if (made?.edition === edition && made.below === below && made.editionBelow === editionBelow) return made.resource;
    yield;
    const instead = this.#instead(below);
    const { pieces, runs, version } =
      below === undefined ? withInstead(yield* this.#whole(), instead) : yield* this.#over(below, instead);
    const last = fallbackPiece(this.#fallback);
    const all = { pieces: [...pieces, last.bytes], runs: [...runs, runOf([last])], version: version.add(last) };
    const resource = new TableResource(this.#name, all, this.#ignorePort);
    if (this.#isStill(edition)) this.#made = { edition, below, editionBelow, resource };
    return resource;
  }

  /** Whether nothing was claimed or hidden since that edition: what was made of it in steps may be kept. */
  #isStill(edition: number): boolean {
    return edition === this.#edition && this.#claimsBefore.size === 0 && this.#hiddenBefore.size === 0;
  }

  /** Looks at what was claimed and hidden since the last time. Another number, another table. */
  #settledEdition(): number {
    let changed = false;
    for (const [key, before] of this.#claimsBefore) {
      const now = this.#claims.get(key);
      if (before === now || isSame(before, now)) continue;
      changed = true;
      this.#stale.add(key);
    }
    for (const [key, before] of this.#hiddenBefore) if (this.#hidden.has(key) !== before) changed = true;
    this.#claimsBefore.clear();
    this.#hiddenBefore.clear();
    return changed ? ++this.#edition : this.#edition;
  }

  /** What the keys come to that want domains which others have. */
  #instead(below: RouteTable | undefined): Instead {
    const instead = new Map<string, HostPiece>();
    for (const [key, lost] of lostDomains(this.#wished(below), (key) => this.#storedAt(key, below)?.claim)) {
      const stored = this.#storedAt(key, below);
      if (stored === undefined) continue;
      const { parts, port } = stored.claim;
      const left = stored.domains.filter((domain) => !lost.has(domain.toLowerCase()));
      instead.set(key, left.length === 0 ? nothing : pieceOfHost(parts.virtualHost(port, left)));
    }
    return instead;
  }

  /** The domains that several keys may want, with those that do. */
  *#wished(below: RouteTable | undefined): Iterable<Claimants> {
    if (below === undefined) {
      for (const domain of this.#contested) yield [domain, [...keysOf(this.#claimants.get(domain))]];
      return;
    }
    for (const domain of below.#contested) if (!this.#claimants.has(domain)) yield [domain, this.#seen(below, domain)];
    for (const [domain, own] of this.#claimants) yield [domain, [...this.#seen(below, domain), ...keysOf(own)]];
  }

  /** The keys of the table below that want a domain and are seen through this one. */
  #seen(below: RouteTable, domain: string): readonly string[] {
    const keys = below.#claimants.get(domain);
    if (keys === undefined) return [];
    return [...keysOf(keys)].filter((key) => !this.#hidden.has(key) && !this.#claims.has(key));
  }

  #storedAt(key: string, below: RouteTable | undefined): Stored | undefined {
    return this.#claims.get(key) ?? (below === undefined || this.#hidden.has(key) ? undefined : below.#claims.get(key));
  }

  /** The virtual hosts over those of a table below. What lies between differences is taken from below as it is. */
  *#over(below: RouteTable, instead: Instead): Steps<Pieces> {
    const { keys, offsets, parts, version: whole, ...strip } = yield* below.#whole();
    const bytes = yield* strip.bytes();
    const pieces: Uint8Array[] = [];
    const runs: Run[] = [];
    const version = whole.copy();
    let from = 0;
    for (const key of [...new Set([...this.#hidden, ...this.#claims.keys(), ...instead.keys()])].sort(byCodeUnit)) {
      const at = placeOf(key, keys);
      pieces.push(bytes.subarray(offsets[from], offsets[at]));
      runs.push({ pieces: parts, from, to: at });
      const hidden = keys[at] === key ? parts[at] : undefined;
      if (hidden !== undefined && hidden !== nothing) version.remove(hidden);
      const stored = this.#claims.get(key);
      const part = instead.get(key) ?? (stored === undefined ? nothing : partOf(stored));
      if (part !== nothing) {
        pieces.push(part.bytes);
        runs.push(runOf([part]));
        version.add(part);
      }
      from = keys[at] === key ? at + 1 : at;
    }
    pieces.push(bytes.subarray(offsets[from]));
    runs.push({ pieces: parts, from, to: parts.length });
    return { pieces, runs, version };
  }

  *#whole(): Steps<Strip> {
    const strip = this.#strip;
    if (strip !== undefined && this.#stale.size === 0) return strip;
    if (strip !== undefined && this.#stale.size * patchedShare < strip.keys.length) {
      this.#strip = this.#patched(strip);
      this.#stale.clear();
      return this.#strip;
    }
    const edition = this.#edition;
    // By code units, which is how strings are sorted where nothing else is asked for.
    const keys = [...this.#claims.keys()].sort();
    yield;
    const parts: HostPiece[] = [];
    const version = new SetVersion();
    for (const key of keys) {
      const stored = this.#claims.get(key);
      const part = stored === undefined ? nothing : partOf(stored);
      parts.push(part);
      if (part !== nothing) version.add(part);
      yield;
    }
    const made = stripOf(keys, parts, version);
    if (this.#isStill(edition)) {
      this.#strip = made;
      this.#stale.clear();
    }
    return made;
  }

  /** The strip with what changed. */
  #patched(strip: Strip): Strip {
    const keys = [...strip.keys];
    const parts = [...strip.parts];
    const version = strip.version.copy();
    for (const key of this.#stale) {
      const at = placeOf(key, keys);
      const found = keys[at] === key;
      const before = found ? parts[at] : undefined;
      const stored = this.#claims.get(key);
      const after = stored === undefined ? undefined : partOf(stored);
      if (before !== undefined && before !== nothing) version.remove(before);
      if (after !== undefined && after !== nothing) version.add(after);
      keys.splice(at, Number(found), ...(after === undefined ? [] : [key]));
      parts.splice(at, Number(found), ...(after === undefined ? [] : [after]));
    }
    return stripOf(keys, parts, version);
  }

  #wish(key: string, domain: string): void {
    const keys = this.#claimants.get(domain);
    if (keys === undefined) this.#claimants.set(domain, key);
    else {
      if (typeof keys === "string") this.#claimants.set(domain, new Set([keys, key]));
      else keys.add(key);
      this.#contested.add(domain);
    }
  }

  #unclaim(key: string, domain: string): void {
    const keys = this.#claimants.get(domain);
    if (keys === key) this.#claimants.delete(domain);
    if (keys === undefined || typeof keys === "string") return;
    keys.delete(key);
    const [only] = keys;
    if (keys.size > 1 || only === undefined) return;
    this.#claimants.set(domain, only);
    this.#contested.delete(domain);
  }
}

function* keysOf(keys: string | ReadonlySet<string> | undefined): Iterable<string> {
  if (typeof keys === "string") yield keys;
  else if (keys !== undefined) yield* keys;
}

function stripOf(keys: readonly string[], parts: readonly HostPiece[], version: SetVersion): Strip {
  const offsets = [0];
  let end = 0;
  for (const { bytes } of parts) offsets.push((end += bytes.length));
  let all: Uint8Array | undefined;
  return {
    keys,
    offsets,
    parts,
    version,
    *bytes() {
      return (all ??= yield* joining(parts.map(({ bytes }) => bytes)));
    },
  };
}

function withInstead({ keys, parts: whole, version: all }: Strip, instead: Instead): Pieces {
  const parts = instead.size === 0 ? whole : [...whole];
  const version = all.copy();
  for (const [key, part] of instead) {
    const at = placeOf(key, keys);
    const before = parts[at];
    if (before !== undefined && before !== nothing) version.remove(before);
    if (part !== nothing) version.add(part);
    (parts as HostPiece[])[at] = part;
  }
  return { pieces: parts.map(({ bytes }) => bytes), runs: [runOf(parts)], version };
}

/** Do two claims of the same service come to the same bytes? The later one takes them over. */
function isSame(before: Stored | undefined, now: Stored | undefined): boolean {
  if (before?.part === undefined || now === undefined || before.claim.parts.service !== now.claim.parts.service)
    return false;
  if (before.domains.length !== now.domains.length || before.domains.some((one, at) => one !== now.domains[at]))
    return false;
  if (before.claim.full.length !== now.claim.full.length) return false;
  if (before.claim.parts !== now.claim.parts && Buffer.compare(before.part.bytes, partOf(now).bytes) !== 0)
    return false;
  now.part = before.part;
  return true;
}

function partOf(stored: Stored): HostPiece {
  const { claim, domains } = stored;
  if (domains.length === 0) return nothing;
  return (stored.part ??= pieceOfHost(claim.parts.virtualHost(claim.port, domains)));
}

/** Where a key is in sorted keys, or would be. */
function placeOf(key: string, keys: readonly string[]): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (byCodeUnit(keys[middle] ?? "", key) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Each domain once; `*` belongs to the fallback. */
function domainsOf({ full, derived }: RouteClaim): readonly string[] {
  const seen = new Map<string, string>();
  for (const domain of [...full, ...derived]) {
    const key = domain.toLowerCase();
    if (key !== "*" && key !== "*." && !seen.has(key)) seen.set(key, domain);
  }
  return [...seen.values()];
}
