import type { Resource } from "../resource.ts";
import type { DeltaRequest } from "./request.ts";
import type { Subscription, WildcardFilter } from "./subscription.ts";
import { MalformedRequestError, WireReader } from "./wire.ts";

const vhdsField = 9;
const byHosts = new WeakMap<Resource, boolean>();

/**
 * Virtual hosts that come one by one (VHDS) on an aggregated delta stream. The name of such a virtual host is `<route table>/<anything>`, and
 * Envoy asks for all of them with one wildcard, once on a stream, whatever route tables it asks for later. It takes those whose table it has
 * and throws the others away, yet says afterwards that it holds them. So the server follows what tables the client has: it sends virtual
 * hosts of these only, and all of them, whatever was accepted before, each time that the client gets a table that it did not have.
 * A table that is gone stays with Envoy while it asks for it (while its listener drains, say); so its virtual hosts stay, too.
 * Source: Envoy's VHDS documentation, and what Envoy 1.37 to 1.40 do.
 */
export class DiscoveredHosts implements WildcardFilter {
  /** Tables that the client was sent on this stream, or that it brought from an earlier one. */
  readonly #tables = new Set<string>();
  /** When one of these is sent next, the client is to be sent all virtual hosts of it. */
  readonly #doubted = new Set<string>();
  /** Tables that were sent, and all virtual hosts of which were not, since. */
  readonly #owed = new Set<string>();
  /** By table that is gone: virtual hosts that are gone with it, and of which the client was not told. */
  readonly #kept = new Map<string, Set<string>>();
  /** Tables that it brought, and of whose virtual hosts it has not been asked yet whether it brought any. */
  readonly #brought = new Set<string>();
  /** Tables of the virtual hosts that it brought; `undefined` before it asked for virtual hosts. */
  #claimed: ReadonlySet<string> | undefined;
  #routes: Subscription | undefined;

  /** False before the client's first request for tables: what it holds of their virtual hosts cannot be judged. */
  get ready(): boolean {
    return this.#routes !== undefined;
  }

  /** Does the client have the table of this virtual host? */
  has(host: string): boolean {
    return this.#tables.has(tableOf(host));
  }

  /** The client asked for tables. Returns virtual hosts that it is to forget, because it no longer asks for their tables. */
  tablesAsked(
    routes: Subscription,
    request: DeltaRequest,
    first: boolean,
    hosts: Subscription | undefined,
  ): readonly string[] {
    this.#routes = routes;
    const left = new Set(request.unsubscribe.filter((table) => !routes.covers(table)));
    for (const table of left) {
      if (!this.#tables.delete(table)) left.delete(table);
      this.#doubted.delete(table);
      this.#owed.delete(table);
    }
    for (const table of request.subscribe) {
      if (first && request.initialVersions.has(table)) this.#brought.add(table);
      else this.#doubted.add(table);
    }
    for (const table of this.#brought) this.#tables.add(table);
    this.#judgeBrought();
    return [...namesIn(hosts?.state?.known.keys() ?? [], left), ...this.#takeKept(left)];
  }

  /** The client asked for virtual hosts, for the first time on this stream, and brought these. */
  hostsAsked(held: ReadonlyMap<string, string>): void {
    this.#claimed = new Set([...held.keys()].map(tableOf));
    this.#judgeBrought();
  }

  /**
   * A stream may break between a table and its virtual hosts. What the client lacks of them is found by its versions; but if it has none, it
   * may still wait to hear of one.
   */
  #judgeBrought(): void {
    if (this.#claimed === undefined) return;
    for (const table of this.#brought) if (!this.#claimed.has(table)) this.#owed.add(table);
    this.#brought.clear();
  }

  /**
   * Whether the client is to be told of virtual hosts that they are gone before it is sent a table: it believes to have some of a table that
   * it does not have. Were the table sent first, and the stream to break behind it, then nobody could tell that it lacks them.
   */
  goFirst(hosts: Subscription): boolean {
    const believed =
      hosts.owed && hosts.claim instanceof Map ? (hosts.claim as ReadonlyMap<string, string>).keys() : [];
    for (const names of [hosts.urgent, believed]) for (const name of names) if (!this.has(name)) return true;
    return false;
  }

  told(gone: ReadonlySet<string>): Iterable<string> {
    return [...gone].filter((host) => {
      const table = tableOf(host);
      if (!this.#tables.has(table) || this.#routes?.covers(table) !== true || this.#routes.visible(table) !== undefined)
        return true;
      const kept = this.#kept.get(table) ?? new Set();
      this.#kept.set(table, kept.add(host));
      return false;
    });
  }

  #takeKept(tables: ReadonlySet<string>): string[] {
    const hosts = [...tables].flatMap((table) => [...(this.#kept.get(table) ?? [])]);
    for (const table of tables) this.#kept.delete(table);
    return hosts;
  }

  /** These tables were sent. `hosts` is what the client asked for of virtual hosts, if it did. */
  tablesSent(tables: readonly Resource[], hosts: Subscription | undefined): void {
    for (const table of tables) {
      const { name } = table;
      const known = this.#tables.has(name) && !this.#doubted.has(name) && !this.#kept.has(name);
      this.#tables.add(name);
      // A whole table may come by virtual hosts again, and then the client takes up those that it had before.
      if (!known || (hosts !== undefined && !comesByHosts(table))) this.#owed.add(name);
    }
  }

  /** The client refused these tables. If it has none of that name, it has thrown the virtual hosts away. */
  tablesRefused(names: readonly string[]): void {
    for (const name of names) if (this.#tables.has(name)) this.#doubted.add(name);
  }

  /**
   * Virtual hosts that are to follow the tables that were sent: all that exist, and those that are about to be removed. For a table without
   * any it is a name that does not exist: to hear of it ends the client's wait.
   */
  follow(hosts: Subscription): ReadonlySet<string> {
    if (!hosts.wildcard) return new Set();
    for (const table of this.#owed) {
      const resource = this.#routes?.visible(table);
      if (resource !== undefined && comesByHosts(resource)) this.#doubted.delete(table);
      else {
        this.#doubted.add(table);
        this.#owed.delete(table);
      }
    }
    if (this.#owed.size === 0) return new Set();
    const names = new Set([
      ...namesIn(hosts.state?.known.keys() ?? [], this.#owed),
      ...namesIn(hosts.pending, this.#owed),
      ...this.#takeKept(this.#owed),
    ]);
    const answered = new Set([...names].map(tableOf));
    for (const table of this.#owed) if (!answered.has(table)) names.add(`${table}/none`);
    this.#owed.clear();
    return names;
  }
}

/**
 * Envoy drops all of a response that belongs to a table in which one virtual host is wrong. When one of those changes, the others of the
 * table that were refused go along: some of them may have been right, and some may have to change together.
 */
export function withRefused(hosts: Subscription): void {
  const refused = [...hosts.answers.refused];
  if (refused.length === 0) return;
  const tables = new Set(refused.filter((name) => hosts.pending.has(name)).map(tableOf));
  for (const name of namesIn(refused, tables)) hosts.pending.add(name);
}

/** The route table that a virtual host belongs to: what stands before the last slash of its name. */
function tableOf(host: string): string {
  return host.slice(0, Math.max(0, host.lastIndexOf("/")));
}

function namesIn(hosts: Iterable<string>, tables: ReadonlySet<string>): string[] {
  return tables.size === 0 ? [] : [...hosts].filter((host) => tables.has(tableOf(host)));
}

/** Does a route table say that its virtual hosts are discovered (`RouteConfiguration.vhds`)? */
function comesByHosts(table: Resource): boolean {
  let known = byHosts.get(table);
  if (known === undefined) {
    known = readsVhds(table.bytes);
    byHosts.set(table, known);
  }
  return known;
}

function readsVhds(bytes: Uint8Array): boolean {
  try {
    const fields = new WireReader(bytes);
    while (fields.next()) if (fields.field === vhdsField) return true;
  } catch (error) {
    if (!(error instanceof MalformedRequestError)) throw error;
  }
  return false;
}
