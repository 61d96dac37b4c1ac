import type { CompiledService } from "./compiled-service.ts";

/** Which hosts concern clients of some namespaces or DNS domains alone. */
export class NameIndex {
  /** Hosts with a service that is of a namespace, or exported to it by name. */
  readonly #byNamespace = new Map<string, Map<string, number>>();
  /** Hosts with a name in a DNS domain such as `shop.svc.cluster.local`. */
  readonly #byDomain = new Map<string, Map<string, number>>();

  /** Counts a service in, or out. */
  count(service: CompiledService | undefined, by: 1 | -1): void {
    if (service === undefined) return;
    const { namespace, exportTo, hostname } = service.entry.service;
    for (const one of new Set([namespace, ...exportTo])) countHost(this.#byNamespace, one, service.host, by);
    for (const domain of domainsOf(hostname)) countHost(this.#byDomain, domain, service.host, by);
  }

  /** Hosts of services that are of a namespace, or exported to it by name. */
  inNamespace(namespace: string): Hosts {
    return this.#byNamespace.get(namespace) ?? none;
  }

  /** Hosts that clients of a DNS domain may call by their first labels alone. */
  inDomain(dnsDomain: string): Hosts {
    return this.#byDomain.get(dnsDomain) ?? none;
  }
}

/** Hosts; whatever more is known of them is nobody's business. */
type Hosts = Pick<ReadonlyMap<string, unknown>, "has" | "keys">;

const none: ReadonlyMap<string, number> = new Map();

/** The DNS domains of clients that may call a host by its first labels alone: `shop.svc.cluster.local` for `web.shop.svc.cluster.local`. */
function domainsOf(hostname: string): readonly string[] {
  const labels = hostname.split(".");
  return labels.flatMap((label, at) => (label === "svc" && at >= 2 ? [labels.slice(at - 1).join(".")] : []));
}

function countHost(index: Map<string, Map<string, number>>, key: string, host: string, by: 1 | -1): void {
  const hosts = index.get(key) ?? new Map<string, number>();
  const counted = (hosts.get(host) ?? 0) + by;
  if (counted > 0) hosts.set(host, counted);
  else hosts.delete(host);
  if (hosts.size > 0) index.set(key, hosts);
  else index.delete(key);
}
