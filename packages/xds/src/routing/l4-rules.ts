import type { Destination, RouteDestination } from "@signalbox/istio-objects";
import { byCodeUnit } from "@signalbox/model";
import type { PortPolicy, Routing } from "@signalbox/traffic";
import { addressRange, type AddressRange } from "../addresses.ts";
import { concerns, connectionTarget, type RuleContext } from "./context.ts";
import { shares } from "./shares.ts";

/** Where the bytes of a connection go. Durations are milliseconds. */
export interface L4Target {
  readonly statPrefix: string;
  /** One or more, with their shares. */
  readonly clusters: readonly { readonly name: string; readonly weight: number }[];
  readonly idleTimeout: number | undefined;
  readonly maxConnectionDuration: number | undefined;
  /** Does the client's address choose the endpoint? */
  readonly sourceIpHash: boolean;
  /** The HTTP proxy's request in which the connection is wrapped. */
  readonly tunnel: { readonly hostname: string; readonly usePost: boolean } | undefined;
}

/** A rule for connections. Of those that match, Envoy takes the one with the narrowest range, then the one with the closest server name. */
export interface L4Rule {
  /** Names as Envoy matches them, sorted; empty for any, and for none at all. */
  readonly serverNames: readonly string[];
  /** Addresses that the client dialled; empty for any. */
  readonly ranges: readonly AddressRange[];
  readonly target: L4Target;
}

/**
 * The rules of a VirtualService for TLS connections that arrive at one listener and are passed on undecrypted, in order, none twice. With
 * rules there is no way for other server names; without any, the service's connections go to the service.
 */
export function tlsRules(routing: Routing, context: RuleContext): readonly L4Rule[] {
  const rules = new Map<string, L4Rule>();
  for (const { match: matches, route } of routing.tls) {
    const target = targetOf(route, routing, context);
    if (target === undefined) continue;
    for (const match of matches) {
      if (!concerns(match, context)) continue;
      const serverNames = serverNamesOf(match.sniHosts);
      const ranges = rangesOf(match.destinationSubnets);
      if (serverNames === undefined || ranges === undefined) continue;
      const key = JSON.stringify([serverNames, match.destinationSubnets]);
      if (!rules.has(key)) rules.set(key, { serverNames, ranges, target });
    }
  }
  return [...rules.values()];
}

/**
 * The rules of a VirtualService for other connections that arrive at one listener, in order. A rule without ranges takes every connection and
 * is the last one; if there is none, what no rule takes goes to the service.
 */
export function tcpRules(routing: Routing, context: RuleContext): readonly L4Rule[] {
  const rules: L4Rule[] = [];
  for (const { match: matches, route } of routing.tcp) {
    const target = targetOf(route, routing, context);
    const own = matches.filter((match) => concerns(match, context));
    if (target === undefined || (matches.length > 0 && own.length === 0)) continue;
    const found = own.flatMap(({ destinationSubnets }) => rangesOf(destinationSubnets) ?? []);
    const any =
      matches.length === 0 || own.some(({ destinationSubnets }) => rangesOf(destinationSubnets)?.length === 0);
    if (!any && found.length === 0) continue;
    rules.push({ serverNames: [], ranges: any ? [] : found, target });
    if (any) break;
  }
  return rules;
}

/** Sends to one cluster under the policy that holds for it. */
export function singleTarget(cluster: string, policy: PortPolicy | undefined): L4Target {
  const { connectionPool, loadBalancer, tunnel } = policy ?? {};
  const host = tunnel?.targetHost.includes(":") === true ? `[${tunnel.targetHost}]` : tunnel?.targetHost;
  return {
    statPrefix: cluster,
    clusters: [{ name: cluster, weight: 1 }],
    idleTimeout: connectionPool?.tcp?.idleTimeout,
    maxConnectionDuration: connectionPool?.tcp?.maxConnectionDuration,
    sourceIpHash: loadBalancer?.consistentHash?.useSourceIp === true,
    tunnel:
      tunnel === undefined || host === undefined
        ? undefined
        : { hostname: `${host}:${String(tunnel.targetPort)}`, usePost: tunnel.protocol === "POST" },
  };
}

/** Undefined for a rule that leads nowhere. The policy of several destinations is that of the first one's host, as in Istio. */
function targetOf(
  route: readonly RouteDestination[],
  { namespace, name }: Routing,
  context: RuleContext,
): L4Target | undefined {
  const [first, ...others] = route;
  if (first === undefined) return undefined;
  if (others.length === 0) {
    const { cluster, policy } = connectionTarget(first.destination, context);
    return singleTarget(cluster, policy);
  }
  const clusters = shares(route).map(([{ destination }, weight]) => ({
    name: clusterOf(destination, context),
    weight,
  }));
  if (clusters.length === 0) return undefined;
  const host = first.destination === undefined ? undefined : { ...first.destination, subset: "" };
  const { policy } = connectionTarget(host, context);
  return { ...singleTarget("", policy), statPrefix: `${name}.${namespace}`, clusters };
}

function clusterOf(destination: Destination | undefined, context: RuleContext): string {
  return connectionTarget(destination, context).cluster;
}

/** Undefined where the list holds no name that Envoy can match. `*` is any name. */
function serverNamesOf(hosts: readonly string[]): readonly string[] | undefined {
  if (hosts.length === 0 || hosts.includes("*")) return [];
  const names = [...new Set(hosts.map((host) => host.toLowerCase()).filter(isServerName))].sort(byCodeUnit);
  return names.length > 0 ? names : undefined;
}

/** Undefined where the list holds no range that can be read. A range of all addresses is any. */
function rangesOf(subnets: readonly string[]): readonly AddressRange[] | undefined {
  const ranges = subnets.flatMap((subnet) => addressRange(subnet) ?? []);
  if (subnets.length > 0 && ranges.length === 0) return undefined;
  return ranges.some(({ length }) => length === 0) ? [] : ranges;
}

/** Envoy's SNI match takes a whole name or `*.` and the rest of one. */
export function isServerName(host: string): boolean {
  return host !== "" && !host.slice(host.startsWith("*.") ? 2 : 0).includes("*");
}
