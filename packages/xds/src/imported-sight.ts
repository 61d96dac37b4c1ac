import { importsOf, type Client, type EgressImports, type Routing, type RuleBook } from "@signalbox/traffic";
import type { CompiledService } from "./compiled-service.ts";
import type { Directory, Touch, Touched } from "./directory.ts";
import { coversHost, HostPatterns, isWildcard } from "./host-patterns.ts";
import type { Sight } from "./sight.ts";
import { each, type Steps } from "@signalbox/slices";

/**
 * What clients see through the imports of a Sidecar, as Istio cuts it: the services that it names; the VirtualServices of the namespaces
 * that it names, as soon as one of their hosts overlaps with an import; and the services to which these lead.
 */
export class ImportedSight implements Sight {
  readonly client: Client;
  readonly #directory: Directory;
  readonly #book: RuleBook;
  readonly #imports: EgressImports;
  /** Hosts that known rules route, with those to which they lead. */
  readonly #routed = new Map<string, readonly string[]>();
  readonly #patterns = new HostPatterns();
  /** Hosts to which known routes lead, with how many of these do. */
  readonly #destinations = new Map<string, number>();

  /**
   * `client` must be this sight's alone: what it is asked about routes is answered by the imports from now on. Made without what rules let it
   * see, which is put in by `filling`.
   */
  constructor(directory: Directory, book: RuleBook, client: Client, hosts: readonly string[]) {
    this.client = client;
    this.#directory = directory;
    this.#book = book;
    this.#imports = importsOf(hosts, client.namespace);
    directory.routeBy(client, (host) => this.#routing(host));
  }

  /** Puts in what rules let it see. What changes meanwhile has to be told to `following`: whatever comes last for a host reads how it is then. */
  *filling(): Steps<undefined> {
    const moved = new Set<string>();
    yield* each(this.#directory.routed(), (host) => this.#select(host, moved));
    return undefined;
  }

  *hosts(): Iterable<string> {
    const found = new Set([...this.#routed.keys(), ...this.#destinations.keys()]);
    yield* found;
    for (const host of this.#directory.hosts()) if (!found.has(host)) yield host;
  }

  visible(host: string): CompiledService | undefined {
    const service = this.#service(host);
    if (service !== undefined) return service;
    return this.#routed.has(host) && !this.#covers(host) ? this.#directory.bare(host, this.client) : undefined;
  }

  aliases(service: CompiledService): readonly string[] {
    const { namespace } = service.entry.service;
    return this.#directory
      .aliases(service, this.client.namespace)
      .filter((alias) => this.#imports.service(alias.toLowerCase(), namespace));
  }

  /** What an event touched, and what came into sight or left it because other routes are selected now. */
  *following(touched: Touched): Steps<Touched> {
    if (touched.rules.hosts.size === 0) return touched;
    const moved = new Set<string>();
    for (const host of yield* this.#ruledBy(touched.rules.hosts)) {
      this.#select(host, moved);
      yield;
    }
    const hosts = new Map<string, Touch>(touched.hosts);
    for (const host of moved) {
      hosts.set(host, "service");
      // Whether a wildcard has routes of its own depends on what it covers.
      for (const pattern of this.#patterns.over(host)) if (isWildcard(pattern)) hosts.set(pattern, "service");
      yield;
    }
    return { ...touched, hosts };
  }

  /** Hosts that may be routed otherwise now that the rules of some changed. Found in steps. */
  *#ruledBy(names: ReadonlySet<string>): Steps<ReadonlySet<string>> {
    const found = new Set<string>();
    const changed = new HostPatterns();
    for (const name of names) {
      const host = name.toLowerCase();
      found.add(host);
      changed.add(host);
      // Connections to a wildcard are matched against the rules of the hosts that it covers, too.
      for (const pattern of this.#patterns.over(host)) found.add(pattern);
      yield;
    }
    if (changed.anyWildcard)
      yield* each(this.#routed.keys(), (host) => {
        if (changed.covers(host)) found.add(host);
      });
    return found;
  }

  /** Brings a host to what rules say of it now, and adds what came into sight by it or left it. */
  #select(host: string, moved: Set<string>): void {
    const before = this.#routed.get(host);
    const isRouted = this.#book.isRouted(host, this.client, this.#imports.routing);
    if (before === undefined && !isRouted) return;
    const led = isRouted ? (this.#routing(host)?.destinations ?? []).map((one) => one.toLowerCase()) : undefined;
    if (led === undefined) {
      this.#routed.delete(host);
      this.#patterns.delete(host);
    } else {
      this.#routed.set(host, led);
      this.#patterns.add(host);
    }
    if (before === undefined || led === undefined) moved.add(host);
    for (const one of led ?? []) this.#count(one, 1, moved);
    for (const one of before ?? []) this.#count(one, -1, moved);
  }

  #count(destination: string, by: 1 | -1, moved: Set<string>): void {
    const before = this.#destinations.get(destination) ?? 0;
    if (before + by > 0) this.#destinations.set(destination, before + by);
    else this.#destinations.delete(destination);
    if (before === 0 || before + by === 0) moved.add(destination);
  }

  /** Services that the imports name come first; those that routes lead to may be of any namespace. */
  #service(host: string): CompiledService | undefined {
    const imported = (namespace: string) => this.#imports.service(host, namespace);
    return (
      this.#directory.service(host, this.client, imported) ??
      (this.#destinations.has(host) ? this.#directory.service(host, this.client) : undefined)
    );
  }

  #routing(host: string): Routing | undefined {
    return this.#book.routing(host, this.client, this.#imports.routing);
  }

  /** Does a wildcard of a rule stand for services in sight? Then these have its routes, and itself none. */
  #covers(host: string): boolean {
    if (!isWildcard(host)) return false;
    for (const one of this.#directory.hosts())
      if (one !== host && coversHost(host, one) && this.#service(one) !== undefined) return true;
    return false;
  }
}
