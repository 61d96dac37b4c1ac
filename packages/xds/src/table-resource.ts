import { atOnce, type Steps } from "@signalbox/slices";
import { resourceOf, type Resource, type SetVersion } from "@signalbox/xds-server";
import {
  encodeVirtualHost,
  fallbackHost,
  frameVirtualHost,
  joined,
  routeConfigurationChunks,
  type Fallback,
} from "./routes.ts";

/** One virtual host as a table holds it (field and length before it), with its content hash. Equal objects, equal content. */
export interface HostPiece {
  readonly name: "";
  readonly version: string;
  readonly bytes: Uint8Array;
}

/** A virtual host as a table holds it. */
export function pieceOf(bytes: Uint8Array): HostPiece {
  return { name: "", version: resourceOf("", bytes).version, bytes };
}

/** What a claim without domains comes to: it is in no table. */
export const nothing = pieceOf(new Uint8Array());

const piecesOfHosts = new WeakMap<Uint8Array, HostPiece>();

/** A stored virtual host as tables hold it. The same bytes give the same piece, in all tables. */
export function pieceOfHost(bytes: Uint8Array): HostPiece {
  let piece = piecesOfHosts.get(bytes);
  if (piece === undefined) {
    piece = pieceOf(frameVirtualHost(bytes));
    piecesOfHosts.set(bytes, piece);
  }
  return piece;
}

const fallbacks = new Map<Fallback, HostPiece>();

/** The virtual host for every host that no other one has. */
export function fallbackPiece(fallback: Fallback): HostPiece {
  let piece = fallbacks.get(fallback);
  if (piece === undefined) {
    piece = pieceOf(frameVirtualHost(encodeVirtualHost(fallbackHost(fallback))));
    fallbacks.set(fallback, piece);
  }
  return piece;
}

/** Virtual hosts of a table, from `from` up to and without `to`, in the list that holds them. */
export interface Run {
  readonly pieces: readonly HostPiece[];
  readonly from: number;
  readonly to: number;
}

/** A whole list as a run. */
export function runOf(pieces: readonly HostPiece[]): Run {
  return { pieces, from: 0, to: pieces.length };
}

/** The virtual hosts of a table in their order, any number in one piece, and the version of their set. */
export interface Pieces {
  readonly pieces: readonly Uint8Array[];
  /** The same virtual hosts one by one. */
  readonly runs: readonly Run[];
  readonly version: SetVersion;
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

  /** The same for whoever writes it into a message now; nobody keeps it beside the pieces. */
  chunks(): Steps<readonly Uint8Array[]> {
    return routeConfigurationChunks(this.name, this.#pieces, this.ignorePort);
  }

  /** The same array for whoever reads it now. */
  get bytes(): Uint8Array {
    const known = this.#bytes?.deref();
    if (known !== undefined) return known;
    const bytes = joined(atOnce(this.chunks()));
    this.#bytes = new WeakRef(bytes);
    return bytes;
  }
}
