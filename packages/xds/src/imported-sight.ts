import { importsOf, type Client, type EgressImports, type Routing, type RuleBook } from "@signalbox/traffic";
import type { CompiledService } from "./compiled-service.ts";
import type { Directory, Touch, Touched } from "./directory.ts";
import { coversHost, isWildcard, wildcardsOver } from "./host-patterns.ts";
import type { Sight } from "./sight.ts";

/**
 * What clients see through the imports of a Sidecar, as Istio cuts it: the services that it names; the VirtualServices of the namespaces
 * that it names, as soon as one of their hosts overlaps with an import; and the services to which these lead.
 */
export class ImportedSight implements Sight {
  readonly client: Client;
  readonly #directory: Directory;
  readonly #book: RuleBook;
  readonly #imports: EgressImports;
  #routed: ReadonlySet<string> = new Set();
  #destinations: ReadonlySet<string> = new Set();

  /** `client` must be this sight's alone: what it is asked about routes is answered by the imports from now on. */
  constructor(directory: Directory, book: RuleBook, client: Client, hosts: readonly string[]) {
    this.client = client;
    this.#directory = directory;
    this.#book = book;
    this.#imports = importsOf(hosts, client.namespace);
    directory.routeBy(client, (host) => this.#routing(host));
    this.#select();
  }

  *hosts(): Iterable<string> {
    const found = new Set([...this.#routed, ...this.#destinations]);
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
  follow(touched: Touched): Touched {
    if (touched.rules.hosts.size === 0) return touched;
    const before = [this.#routed, this.#destinations] as const;
    this.#select();
    const hosts = new Map<string, Touch>(touched.hosts);
    for (const host of this.#moved(before)) {
      hosts.set(host, "service");
      // Whether a wildcard has routes of its own depends on what it covers.
      for (const wildcard of wildcardsOver(host)) if (this.#routed.has(wildcard)) hosts.set(wildcard, "service");
    }
    return { ...touched, hosts };
  }

  /** Hosts that rules selected before and do not now, or the other way round. */
  *#moved([routed, destinations]: readonly [ReadonlySet<string>, ReadonlySet<string>]): Iterable<string> {
    for (const [before, now] of [
      [routed, this.#routed],
      [destinations, this.#destinations],
    ] as const) {
      for (const host of before) if (!now.has(host)) yield host;
      for (const host of now) if (!before.has(host)) yield host;
    }
  }

  /** Services that the imports name come first; those that routes lead to may be of any namespace. */
  #service(host: string): CompiledService | undefined {
    const imported = (namespace: string) => this.#imports.service(host, namespace);
    return (
      this.#directory.service(host, this.client, imported) ??
      (this.#destinations.has(host) ? this.#directory.service(host, this.client) : undefined)
    );
  }

  #select(): void {
    this.#routed = new Set(
      this.#book.routedHosts(this.client, this.#imports.routing).map((host) => host.toLowerCase()),
    );
    const destinations = new Set<string>();
    for (const host of this.#routed)
      for (const one of this.#routing(host)?.destinations ?? []) destinations.add(one.toLowerCase());
    this.#destinations = destinations;
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
