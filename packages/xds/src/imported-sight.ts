import type { Client, Imports, Routing, RuleBook } from "@signalbox/traffic";
import type { CompiledService } from "./compiled-service.ts";
import type { Directory, Touch, Touched } from "./directory.ts";
import { coversHost, isWildcard, wildcardsOver } from "./host-patterns.ts";
import type { Sight } from "./sight.ts";

/** Hosts that a Sidecar lets its workloads know: a namespace or `*`, and a host or wildcard. */
export interface Import {
  readonly namespace: string;
  readonly host: string;
}

/** Reads the hosts of a Sidecar's egress listener. `.` is the workload's own namespace; `~` imports nothing. */
export function importsOf(hosts: readonly string[], own: string): readonly Import[] {
  return hosts.flatMap((text) => {
    const slash = text.indexOf("/");
    const namespace = slash < 0 ? "*" : text.slice(0, slash);
    if (namespace === "~") return [];
    return [{ namespace: namespace === "." ? own : namespace, host: text.slice(slash + 1).toLowerCase() }];
  });
}

/**
 * What clients see through the imports of a Sidecar, as Istio cuts it: the services that it names; the VirtualServices of the namespaces
 * that it names, as soon as one of their hosts overlaps with an import; and the services to which these lead.
 */
export class ImportedSight implements Sight {
  readonly client: Client;
  readonly #directory: Directory;
  readonly #book: RuleBook;
  readonly #imports: readonly Import[];
  /** Does an import overlap with a host of these routes? Then they are known, for all of their hosts. */
  readonly #selects: Imports = ({ hosts, namespace }) =>
    hosts.some((host) => this.#overlaps(namespace, host.toLowerCase()));
  #routed: ReadonlySet<string> = new Set();
  #destinations: ReadonlySet<string> = new Set();

  /** `client` must be this sight's alone: what it is asked about routes is answered by the imports from now on. */
  constructor(directory: Directory, book: RuleBook, client: Client, imports: readonly Import[]) {
    this.client = client;
    this.#directory = directory;
    this.#book = book;
    this.#imports = imports;
    directory.routeBy(client, (host) => this.#routing(host));
    this.#select();
  }

  *hosts(): Iterable<string> {
    const found = new Set([...this.#routed, ...this.#destinations]);
    yield* found;
    for (const host of this.#directory.hosts()) if (!found.has(host) && this.#names(host)) yield host;
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
      .filter((alias) => this.#imported(namespace, alias.toLowerCase()));
  }

  /** What an event touched, and what came into sight or left it because other routes are selected now. */
  follow(touched: Touched): Touched {
    if (touched.rules.hosts.size === 0) return touched;
    const before = new Set([...this.#routed, ...this.#destinations]);
    this.#select();
    const hosts = new Map<string, Touch>(touched.hosts);
    for (const host of new Set([...before, ...this.#routed, ...this.#destinations])) hosts.set(host, "service");
    return { ...touched, hosts };
  }

  /** Services that the imports name come first; those that routes lead to may be of any namespace. */
  #service(host: string): CompiledService | undefined {
    const named = this.#names(host)
      ? this.#directory.service(host, this.client, (namespace) => this.#imported(namespace, host))
      : undefined;
    return named ?? (this.#destinations.has(host) ? this.#directory.service(host, this.client) : undefined);
  }

  #select(): void {
    this.#routed = new Set(this.#book.routedHosts(this.client, this.#selects).map((host) => host.toLowerCase()));
    const destinations = new Set<string>();
    for (const host of this.#routed)
      for (const one of this.#routing(host)?.destinations ?? []) destinations.add(one.toLowerCase());
    this.#destinations = destinations;
  }

  #routing(host: string): Routing | undefined {
    return this.#book.routing(host, this.client, this.#selects);
  }

  /** Does a wildcard of a rule stand for services in sight? Then these have its routes, and itself none. */
  #covers(host: string): boolean {
    if (!isWildcard(host)) return false;
    for (const one of this.#directory.hosts())
      if (one !== host && coversHost(host, one) && this.#service(one) !== undefined) return true;
    return false;
  }

  #names(host: string): boolean {
    return this.#imports.some((one) => coversHost(one.host, host));
  }

  #imported(namespace: string, host: string): boolean {
    return this.#imports.some((one) => isOf(one, namespace) && coversHost(one.host, host));
  }

  #overlaps(namespace: string, host: string): boolean {
    return this.#imports.some(
      (one) => isOf(one, namespace) && (coversHost(one.host, host) || coversHost(host, one.host)),
    );
  }
}

function isOf(one: Import, namespace: string): boolean {
  return one.namespace === "*" || one.namespace === namespace;
}
