import { byCodeUnit } from "@signalbox/model";
import { coversHost, isWildcard } from "../host-patterns.ts";

/** A host of a Gateway's server, in lower case: a name, a wildcard such as `*.example.com`, or `*`. */
export interface ServerHost {
  /** Only VirtualServices of this namespace may have it; undefined for those of any. */
  readonly namespace: string | undefined;
  readonly host: string;
}

/** Reads the hosts of a server: `namespace/host`, `./host` for the Gateway's own namespace; a star or nothing before the host is any namespace. */
export function serverHosts(hosts: readonly string[], gatewayNamespace: string): readonly ServerHost[] {
  const read = hosts.map((text): ServerHost => {
    const slash = text.indexOf("/");
    const host = text.slice(slash + 1).toLowerCase();
    if (slash < 0) return { namespace: undefined, host };
    const namespace = text.slice(0, slash);
    if (namespace === "*") return { namespace: undefined, host };
    return { namespace: namespace === "." ? gatewayNamespace : namespace, host };
  });
  // Everything of every namespace: what else the server names is in it.
  const all = read.find(({ host, namespace }) => host === "*" && namespace === undefined);
  return all !== undefined && hosts.includes("*/*") ? [all] : read;
}

/** The names of a server's hosts, each once, sorted. */
export function hostNames(hosts: readonly ServerHost[]): readonly string[] {
  return [...new Set(hosts.map(({ host }) => host))].sort(byCodeUnit);
}

/** Equal for equal hosts of equal namespaces. */
export function hostKey({ host, namespace }: ServerHost): string {
  return namespace === undefined ? host : `${namespace}/${host}`;
}

/**
 * The hosts for which a VirtualService of this namespace may have routes at a server: for each pair in which one covers the other, the
 * narrower one. In the order of the server's hosts.
 */
export function commonHosts(
  server: readonly ServerHost[],
  namespace: string,
  routed: readonly string[],
): readonly string[] {
  const found = new Set<string>();
  const hosts = routedHosts(routed);
  for (const { host, namespace: only } of server) {
    if (only !== undefined && only !== namespace) continue;
    if (isWildcard(host)) {
      for (const other of hosts.all) {
        if (coversHost(other, host)) found.add(host);
        else if (coversHost(host, other)) found.add(other);
      }
    } else if (hosts.names.has(host) || hosts.wildcards.some((wildcard) => coversHost(wildcard, host))) found.add(host);
  }
  return [...found];
}

interface RoutedHosts {
  readonly all: readonly string[];
  readonly names: ReadonlySet<string>;
  readonly wildcards: readonly string[];
}

const known = new WeakMap<readonly string[], RoutedHosts>();

/** Hosts of a VirtualService in lower case; a long list is searched once for each host of a server. */
function routedHosts(routed: readonly string[]): RoutedHosts {
  let hosts = known.get(routed);
  if (hosts === undefined) {
    const all = routed.map((host) => host.toLowerCase());
    hosts = { all, names: new Set(all), wildcards: all.filter(isWildcard) };
    known.set(routed, hosts);
  }
  return hosts;
}
