import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { BinaryReader, BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { RouteConfigurationSchema } from "@signalbox/envoy-api/envoy/config/route/v3/route";
import type { Steps } from "@signalbox/slices";
import { resourceOf, SetVersion, type Resource } from "@signalbox/xds-server";
import { adsSource, encoded } from "../messages.ts";
import { encodeRouteConfiguration, joined } from "../routes.ts";
import { pieceOf, TableResource, type HostPiece } from "../table-resource.ts";

/** A route table that says where its virtual hosts come from, and these one by one. */
interface SplitTable {
  readonly shell: Resource;
  readonly hosts: readonly HostResource[];
}

const nameField = 1;
const hostsField = 2;
const vhdsField = 9;
const vhds = encoded(RouteConfigurationSchema, { vhds: { configSource: adsSource() } });
const made = new WeakMap<HostPiece, HostResource>();

/**
 * Takes a route table apart, in steps. All its virtual hosts, also the one for every other host, come by themselves: then `*` stands in one place, and
 * no table is without any. Their names are `<table>/<name>`; a slash in a name becomes `_`, and of equal names the later ones get a number. A
 * table stays whole whose name has a slash, or that says already where its virtual hosts come from.
 */
export function* splitting(table: Resource): Steps<SplitTable> {
  const { name } = table;
  const whole = { shell: table, hosts: [] };
  if (name.includes("/")) return whole;
  if (table instanceof TableResource)
    return {
      shell: shellOf(name, encodeRouteConfiguration(name, [], table.ignorePort)),
      hosts: yield* named(name, table.hosts()),
    };
  const fields = fieldsOf(table.bytes);
  if (fields.some(({ field }) => field === vhdsField)) return whole;
  const rest = fields.filter(({ field }) => field !== hostsField).map(({ bytes }) => bytes);
  const hosts = fields.filter(({ field }) => field === hostsField).map(({ bytes }) => pieceOf(bytes));
  return { shell: shellOf(name, joined(rest)), hosts: yield* named(name, hosts) };
}

/** Takes tables apart and encodes all that comes of it, in steps. Who takes them apart later finds most of it done. */
export function* splittingAhead(tables: Iterable<Resource>): Steps<undefined> {
  for (const table of tables) {
    if (!(table instanceof TableResource)) continue;
    const { hosts } = yield* splitting(table);
    for (const host of hosts) {
      SetVersion.of([host]);
      host.encode();
      yield;
    }
  }
  return undefined;
}

/** Written anew, so that equal tables are equal bytes, whatever they were made of. */
function shellOf(name: string, rest: Uint8Array): Resource {
  const table = fromBinary(RouteConfigurationSchema, joined([rest, vhds]));
  return resourceOf(name, toBinary(RouteConfigurationSchema, table));
}

function* named(table: string, pieces: Iterable<HostPiece>): Steps<readonly HostResource[]> {
  const taken = new Set<string>();
  const hosts: HostResource[] = [];
  for (const piece of pieces) {
    let host = made.get(piece);
    if (host?.table !== table) {
      host = new HostResource(table, piece);
      made.set(piece, host);
    }
    if (taken.has(host.name)) host = new HostResource(table, piece, taken);
    taken.add(host.name);
    hosts.push(host);
    yield;
  }
  return hosts;
}

/** A virtual host by itself. Equal virtual hosts of a table are one object for all who see them. */
class HostResource implements Resource {
  readonly table: string;
  readonly name: string;
  readonly version: string;
  readonly #piece: HostPiece;
  #bytes: Uint8Array | undefined;

  /** With a name that is not among `taken`. */
  constructor(table: string, piece: HostPiece, taken: ReadonlySet<string> = new Set()) {
    this.table = table;
    this.#piece = piece;
    this.version = piece.version;
    const name = `${table}/${nameOf(piece).replaceAll("/", "_")}`;
    let free = name;
    for (let number = 2; taken.has(free); number++) free = `${name}~${String(number)}`;
    this.name = free;
  }

  /** The virtual host under the name of the resource: what Envoy adds by the one it removes by the other. */
  get bytes(): Uint8Array {
    return this.encode();
  }

  /** Makes the bytes, once. */
  encode(): Uint8Array {
    if (this.#bytes === undefined) {
      const rest = fieldsOf(contentOf(this.#piece)).filter(({ field }) => field !== nameField);
      const head = new BinaryWriter().tag(nameField, WireType.LengthDelimited).string(this.name).finish();
      this.#bytes = joined([head, ...rest.map(({ bytes }) => bytes)]);
    }
    return this.#bytes;
  }
}

function nameOf(piece: HostPiece): string {
  let name = "";
  const reader = new BinaryReader(contentOf(piece));
  while (reader.pos < reader.len) {
    const [field, type] = reader.tag();
    if (field === nameField) name = reader.string();
    else reader.skip(type, field);
  }
  return name;
}

/** The virtual host without the field and the length that stand before it in a table. */
function contentOf({ bytes }: HostPiece): Uint8Array {
  const reader = new BinaryReader(bytes);
  reader.tag();
  return reader.bytes();
}

interface Field {
  readonly field: number;
  /** With its tag. */
  readonly bytes: Uint8Array;
}

function fieldsOf(message: Uint8Array): readonly Field[] {
  const fields: Field[] = [];
  const reader = new BinaryReader(message);
  while (reader.pos < reader.len) {
    const start = reader.pos;
    const [field, type] = reader.tag();
    reader.skip(type, field);
    fields.push({ field, bytes: message.subarray(start, reader.pos) });
  }
  return fields;
}
