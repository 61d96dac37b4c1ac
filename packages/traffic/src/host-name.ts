import { isIpAddress } from "@signalbox/model";

/** Whether a host is a wildcard: `*`, or `*` and how names end. */
export function isWildcard(host: string): boolean {
  return host.startsWith("*");
}

/**
 * How short names end: the DNS domain of the cluster, or a function that says it for each `<name>.<namespace>`; empty where nothing follows
 * the namespace.
 */
export type NameDomain = string | ((name: string) => string);

/**
 * The whole name of a host that an object of `namespace` writes, in lower case: a name without a dot is a service of that namespace. `*`
 * and IP addresses stay what they are.
 */
export function wholeHost(host: string, namespace: string, domain: NameDomain): string {
  const name = host.toLowerCase();
  if (name === "" || name === "*" || name.includes(".") || isIpAddress(name)) return name;
  const inNamespace = namespace === "" ? name : `${name}.${namespace}`;
  const end = typeof domain === "string" ? domain : domain(inNamespace);
  return end === "" ? inNamespace : `${inNamespace}.svc.${end}`;
}

/**
 * Whether two hosts have a name in common as Istio counts: they are equal, or one is a wildcard that covers the other. Both are in lower
 * case.
 */
export function hostsMatch(a: string, b: string): boolean {
  if (isWildcard(a) && isWildcard(b)) {
    const [short, long] = a.length < b.length ? [a, b] : [b, a];
    return long.endsWith(short.slice(1));
  }
  if (isWildcard(a)) return b.endsWith(a.slice(1));
  if (isWildcard(b)) return a.endsWith(b.slice(1));
  return a === b;
}

/** The gateway of calls between workloads of the mesh. */
export const meshGateway = "mesh";

/**
 * The `<namespace>/<name>` of a gateway that an object of `namespace` names: `name`, `./name`, `other/name`, or the host-like
 * `name.other[.svc.…]` of Istio's early days. `mesh` stays.
 */
export function wholeGateway(name: string, namespace: string): string {
  if (name === meshGateway) return name;
  const slash = name.indexOf("/");
  if (slash >= 0) return name.slice(0, slash) === "." ? `${namespace}/${name.slice(slash + 1)}` : name;
  const [short = "", owner] = name.split(".");
  return owner === undefined ? `${namespace}/${name}` : `${owner}/${short}`;
}
