import type { Service } from "@signalbox/model";
import { portPolicy, type Client, type PortPolicy, type RuleBook } from "@signalbox/traffic";
import type { CompiledService } from "../compiled-service.ts";
import { outboundCluster } from "../names.ts";
import { portKind } from "../port-kind.ts";
import type { Destinations } from "../routing/context.ts";

/** What a router knows of the hosts to which its rules send. */
export class RouterDestinations implements Destinations {
  readonly #find: (host: string) => CompiledService | undefined;
  readonly #book: Pick<RuleBook, "destination">;
  readonly #client: Client;

  constructor(
    find: (host: string) => CompiledService | undefined,
    book: Pick<RuleBook, "destination">,
    client: Client,
  ) {
    this.#find = find;
    this.#book = book;
    this.#client = client;
  }

  service(host: string): Service | undefined {
    return this.#find(host.toLowerCase())?.entry.service;
  }

  policy(host: string, port: number, subset: string): PortPolicy | undefined {
    const service = this.service(host);
    if (service === undefined) return undefined;
    const rules = this.#book.destination(service.hostname.toLowerCase(), service.namespace, this.#client);
    return portPolicy(rules, port, subset);
  }

  /** Equal for hosts of which the same is known. */
  keyOf(host: string): string {
    const entry = this.#find(host.toLowerCase())?.entry;
    if (entry === undefined) return "";
    const { hostname, namespace } = entry.service;
    const rules = this.#book.destination(hostname.toLowerCase(), namespace, this.#client);
    return `${hostname} ${entry.versions.service} ${rules?.version ?? ""}`;
  }

  /** Clusters of a host for which an HTTP filter has to look up names. */
  dynamicDns(host: string): readonly string[] {
    const service = this.service(host);
    if (service?.resolution !== "DYNAMIC_DNS") return [];
    return service.ports
      .filter(({ protocol }) => portKind(protocol) === "http")
      .map(({ number }) => outboundCluster(number, service.hostname));
  }
}
