import type { Sidecar } from "@signalbox/istio-objects";
import { importsOf, type Client, type Knowledge, type Rule, type RuleBook } from "@signalbox/traffic";
import { isVisible, type Directory } from "./directory.ts";

/** A client as its rules are found, with the Sidecar before it. */
export interface RuledClient {
  readonly client: Client;
  readonly sidecar: Rule<Sidecar> | undefined;
  /** Whether Gateways give it listeners. */
  readonly serves: boolean;
  /** Whether EnvoyFilters change what it gets. */
  readonly patched: boolean;
}

/** Answers which objects have a part in what clients get. Made for one question after the other, not to be kept over a change. */
export class RuleUse {
  readonly #book: RuleBook;
  readonly #directory: Directory;

  constructor(book: RuleBook, directory: Directory) {
    this.#book = book;
    this.#directory = directory;
  }

  /** Those of the objects (`<kind>/<namespace>/<name>`) that have a part in what this client gets. */
  of(keys: readonly string[], ruled: RuledClient): ReadonlySet<string> {
    const knowledge = this.#knowledgeOf(ruled);
    return new Set(keys.filter((key) => this.#has(key, ruled, knowledge)));
  }

  #has(key: string, { client, patched, serves, sidecar }: RuledClient, knowledge: Knowledge): boolean {
    if (key.startsWith("Sidecar/")) return sidecar?.key === key;
    if (key.startsWith("EnvoyFilter/") && !patched) return false;
    if (client.kind === "router" && !serves && /^(?:Gateway|VirtualService)\//.test(key)) return false;
    return this.#book.governs(key, client, knowledge);
  }

  #knowledgeOf({ client, sidecar }: RuledClient): Knowledge {
    const visible = (host: string) =>
      [...this.#directory.within(host)]
        .map(({ entry }) => entry.service)
        .filter(({ exportTo, namespace }) => isVisible(namespace, exportTo, client.namespace));
    const egress = sidecar?.spec.egress ?? [];
    if (egress.length === 0) return { services: visible };
    const hosts = egress.flatMap((listener) => listener.hosts);
    const imports = importsOf(hosts, client.namespace);
    let led: ReadonlySet<string> | undefined;
    return {
      imports: imports.routing,
      services: (host) =>
        visible(host).filter(({ hostname, namespace }) => {
          const name = hostname.toLowerCase();
          // Services to which known routes lead are known, too.
          return imports.service(name, namespace) || (led ??= this.#destinations(client, imports.routing)).has(name);
        }),
    };
  }

  #destinations(client: Client, imports: Knowledge["imports"]): ReadonlySet<string> {
    const routed = [...this.#directory.routed()].filter((host) => this.#book.isRouted(host, client, imports));
    return new Set(routed.flatMap((host) => this.#book.routing(host, client, imports)?.destinations ?? []));
  }
}
