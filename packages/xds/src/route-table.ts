import { byCodeUnit, precedence } from "@signalbox/model";
import type { Port } from "@signalbox/model";
import { atOnce, type Steps } from "@signalbox/slices";
import {
  encodeVirtualHost,
  fallbackHost,
  frameVirtualHost,
  joined,
  joinRouteConfiguration,
  type Fallback,
} from "./routes.ts";
import { resourceOf, SetVersion, type Resource } from "@signalbox/xds-server";
import type { EncodedParts } from "./encoded-parts.ts";

/** A service's claim on domains of a route table. Full names win over derived ones, then the older service wins. */
export interface RouteClaim {
  readonly parts: EncodedParts;
  readonly port: Port;
  readonly full: readonly string[];
  readonly derived: readonly string[];
}

interface Stored {
  readonly claim: RouteClaim;
  readonly domains: readonly string[];
  /** The virtual host with all its domains; made when it is first needed. */
  part?: HostPiece;
}

/** Virtual hosts of a table, from `from` up to and without `to`, in the list that holds them. */
interface Run {
  readonly pieces: readonly HostPiece[];
  readonly from: number;
  readonly to: number;
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
  readonly keys: readonly string[];
  readonly offsets: readonly number[];
  /** One for each key. */
  readonly parts: readonly HostPiece[];
  /** All of them joined; made when a table above first asks. */
  readonly bytes: () => Uint8Array;
  /** Of all its pieces. */
  readonly version: SetVersion;
}

/** One virtual host as a table holds it (field and length before it), with its content hash. Equal objects, equal content. */
export interface HostPiece {
  readonly name: "";
  readonly version: string;
  readonly bytes: Uint8Array;
}

/** The virtual hosts of a table in their order, any number in one piece, and the version of their set. */
interface Pieces {
  readonly pieces: readonly Uint8Array[];
  /** The same virtual hosts one by one. */
  readonly runs: readonly Run[];
  readonly version: SetVersion;
}

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
  readonly #claimants = new Map<string, number>();
  #sorted: string[] | undefined;
  #strip: Strip | undefined;
  #contested = 0;
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
    if (before !== undefined) this.#count(before, -1);
    if (next !== undefined) this.#count(next, 1);
    if (next === undefined) this.#claims.delete(key);
    else this.#claims.set(key, next);
  }

  /** Encodes a claim ahead of `resource`. */
  prepare(key: string): void {
    for (const stored of this.#stored(key)) SetVersion.of([partOf(stored)]);
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
    const { pieces, runs, version } = this.#isContested() ? yield* this.#settled() : yield* this.#pieces();
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
      this.#strip = undefined;
      if ((before === undefined) !== (now === undefined)) this.#sorted = undefined;
    }
    for (const [key, before] of this.#hiddenBefore) if (this.#hidden.has(key) !== before) changed = true;
    this.#claimsBefore.clear();
    this.#hiddenBefore.clear();
    return changed ? ++this.#edition : this.#edition;
  }

  /** The virtual hosts where some domain has to be given to one of several. */
  *#settled(): Steps<Pieces> {
    const claims = [...this.#inOrder()];
    yield;
    const owners = yield* ownersOf(claims.map(({ claim }) => claim));
    const pieces: HostPiece[] = [];
    const version = new SetVersion();
    for (const { claim, domains: all } of claims) {
      yield;
      const domains = all.filter((domain) => owners.get(domain.toLowerCase()) === claim);
      if (domains.length === 0) continue;
      const piece = pieceOf(frameVirtualHost(claim.parts.virtualHost(claim.port, domains)));
      pieces.push(piece);
      version.add(piece);
    }
    return { pieces: pieces.map(({ bytes }) => bytes), runs: [runOf(pieces)], version };
  }

  /** The virtual hosts where nobody is in another's way. What lies between differences is taken from below as it is. */
  *#pieces(): Steps<Pieces> {
    const below = this.#findBelow();
    if (below === undefined) {
      const { parts, version } = yield* this.#whole();
      return { pieces: parts.map(({ bytes }) => bytes), runs: [runOf(parts)], version: version.copy() };
    }
    const { keys, offsets, parts, version: whole, ...strip } = yield* below.#whole();
    const bytes = strip.bytes();
    yield;
    const pieces: Uint8Array[] = [];
    const runs: Run[] = [];
    const version = whole.copy();
    let from = 0;
    for (const key of [...new Set([...this.#hidden, ...this.#claims.keys()])].sort(byCodeUnit)) {
      const at = placeOf(key, keys);
      pieces.push(bytes.subarray(offsets[from], offsets[at]));
      runs.push({ pieces: parts, from, to: at });
      for (const stored of below.#stored(key)) if (partOf(stored) !== nothing) version.remove(partOf(stored));
      for (const stored of this.#stored(key)) {
        const part = partOf(stored);
        if (part === nothing) continue;
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
    if (this.#strip !== undefined) return this.#strip;
    const edition = this.#edition;
    const keys = this.#keys();
    yield;
    const parts: HostPiece[] = [];
    const offsets = [0];
    const version = new SetVersion();
    let end = 0;
    for (const key of keys) {
      const stored = this.#claims.get(key);
      if (stored === undefined) continue;
      const part = partOf(stored);
      parts.push(part);
      offsets.push((end += part.bytes.length));
      if (part !== nothing) version.add(part);
      yield;
    }
    let bytes: Uint8Array | undefined;
    const join = () => (bytes ??= joined(parts.map((part) => part.bytes)));
    const strip = { keys, offsets, parts, bytes: join, version };
    if (this.#isStill(edition)) this.#strip = strip;
    return strip;
  }

  #keys(): readonly string[] {
    // By code units, which is how strings are sorted where nothing else is asked for.
    return (this.#sorted ??= [...this.#claims.keys()].sort());
  }

  /** All claims in the order of their keys: its own, and those of the table below that it leaves. */
  *#inOrder(): Iterable<Stored> {
    const own = this.#keys();
    const below = this.#findBelow();
    let next = 0;
    for (const key of below === undefined ? [] : below.#keys()) {
      for (let mine = own[next]; mine !== undefined && byCodeUnit(mine, key) < 0; mine = own[++next])
        yield* this.#stored(mine);
      if (!this.#hidden.has(key) && !this.#claims.has(key)) yield* below === undefined ? [] : below.#stored(key);
    }
    for (; next < own.length; next++) yield* this.#stored(own[next] ?? "");
  }

  #stored(key: string): readonly Stored[] {
    const stored = this.#claims.get(key);
    return stored === undefined ? [] : [stored];
  }

  #count({ domains }: Stored, by: 1 | -1): void {
    for (const domain of domains) {
      const key = domain.toLowerCase();
      const before = this.#claimants.get(key) ?? 0;
      const after = before + by;
      if (before > 1 !== after > 1) this.#contested += by;
      if (after === 0) this.#claimants.delete(key);
      else this.#claimants.set(key, after);
    }
  }

  /** Might two claims want one domain? True also where a hidden claim makes it look so; the owners are right all the same. */
  #isContested(): boolean {
    const below = this.#findBelow();
    if (this.#contested > 0 || below === undefined) return this.#contested > 0;
    if (below.#contested > 0) return true;
    const left = new Map<string, number>();
    for (const key of new Set([...this.#hidden, ...this.#claims.keys()])) {
      for (const { domains } of below.#stored(key))
        for (const domain of domains) left.set(domain.toLowerCase(), (left.get(domain.toLowerCase()) ?? 0) + 1);
    }
    return [...this.#claimants.keys()].some((domain) => (below.#claimants.get(domain) ?? 0) > (left.get(domain) ?? 0));
  }
}

/** Whose each domain is. */
function* ownersOf(claims: readonly RouteClaim[]): Steps<ReadonlyMap<string, RouteClaim>> {
  const owners = new Map<string, RouteClaim>();
  const inOrder = [...claims].sort(
    (a, b) => precedence(a.parts.service, b.parts.service) || a.port.number - b.port.number,
  );
  for (const part of ["full", "derived"] as const) {
    for (const claim of inOrder) {
      yield;
      for (const domain of claim[part]) {
        const key = domain.toLowerCase();
        if (!owners.has(key)) owners.set(key, claim);
      }
    }
  }
  return owners;
}

/**
 * A route table that is put together when somebody reads it. Its version is made of the hashes of its virtual hosts, whose order follows
 * from their names: a change costs what changed, and tables that share most of their virtual hosts keep these once.
 */
export class TableResource implements Resource {
  readonly name: string;
  readonly version: string;
  readonly ignorePort: boolean;
  readonly #pieces: readonly Uint8Array[];
  readonly #runs: readonly Run[];
  #bytes: WeakRef<Uint8Array> | undefined;

  /** What is given is kept: nobody may change it. */
  constructor(name: string, { pieces, runs, version }: Pieces, ignorePort: boolean) {
    this.name = name;
    this.ignorePort = ignorePort;
    this.#pieces = pieces;
    this.#runs = runs;
    this.version = resourceOf(
      name,
      new TextEncoder().encode(`${name} ${String(ignorePort)} ${version.toString()}`),
    ).version;
  }

  /** Its virtual hosts in their order. */
  *hosts(): Iterable<HostPiece> {
    for (const { pieces, from, to } of this.#runs)
      for (let at = from; at < to; at++) {
        const piece = pieces[at];
        if (piece !== undefined && piece !== nothing) yield piece;
      }
  }

  /** The same array for whoever writes it into a message now; nobody keeps it beside the pieces. */
  get bytes(): Uint8Array {
    const known = this.#bytes?.deref();
    if (known !== undefined) return known;
    const bytes = joinRouteConfiguration(this.name, this.#pieces, this.ignorePort);
    this.#bytes = new WeakRef(bytes);
    return bytes;
  }
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

const piecesOfHosts = new WeakMap<Uint8Array, HostPiece>();

/** The same bytes give the same piece, in all tables. */
function pieceOfHost(bytes: Uint8Array): HostPiece {
  let piece = piecesOfHosts.get(bytes);
  if (piece === undefined) {
    piece = pieceOf(frameVirtualHost(bytes));
    piecesOfHosts.set(bytes, piece);
  }
  return piece;
}

/** A virtual host as a table holds it. */
export function pieceOf(bytes: Uint8Array): HostPiece {
  return { name: "", version: resourceOf("", bytes).version, bytes };
}

function runOf(pieces: readonly HostPiece[]): Run {
  return { pieces, from: 0, to: pieces.length };
}

const fallbacks = new Map<Fallback, HostPiece>();

function fallbackPiece(fallback: Fallback): HostPiece {
  let piece = fallbacks.get(fallback);
  if (piece === undefined) {
    piece = pieceOf(frameVirtualHost(encodeVirtualHost(fallbackHost(fallback))));
    fallbacks.set(fallback, piece);
  }
  return piece;
}

/** What a claim without domains comes to: it is in no table. */
const nothing = pieceOf(new Uint8Array());

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
