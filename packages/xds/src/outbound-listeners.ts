import type { OutboundPort } from "./outbound-port.ts";
import { TrafficDirection } from "@signalbox/envoy-api/envoy/config/core/v3/base";
import type { ListenerSchema } from "@signalbox/envoy-api/envoy/config/listener/v3/listener";
import { byCodeUnit, type Service } from "@signalbox/model";
import { each, type Steps } from "@signalbox/slices";
import { isLoopback, serviceAddresses, type AddressRange } from "./addresses.ts";
import {
  httpConnectionManager,
  httpInspector,
  plaintextHttp,
  tcpProxy,
  tlsInspector,
  type FilterChainInit,
  type ListenerFilterInit,
} from "./filters.ts";
import type { MeshSettings } from "./mesh.ts";
import { portKind, type PortKind } from "./port-kind.ts";
import { duration, socketAddress, type Init } from "./messages.ts";
import { blackHoleCluster, outboundCluster, passthroughCluster } from "./names.ts";
import { connectionRules, distinctRules, isForAll, ruleChain } from "./routing/connection-chains.ts";
import type { L4Rule } from "./routing/l4-rules.ts";

/** A Listener before it is encoded. */
export type ListenerInit = Init<typeof ListenerSchema> & { name: string };

/** How a client's listeners stand: on captured traffic, or on ports of their own. */
export interface ListenerStyle {
  readonly captured: boolean;
  /** Where listeners bind that are not captured, and the HTTP proxy port of all. */
  readonly bindAddress: string;
  /** `0.0.0.0`, and `::` too for a node with addresses of both families. The first names the listeners. */
  readonly wildcards: readonly [string, ...string[]];
  /** May ports below 1024 be bound? */
  readonly privileged: boolean;
}

/** A listener that can be made when it is needed. */
export interface PortListener {
  readonly name: string;
  /** The service that it depends on alone, beside style and mesh; none for a listener that several share. */
  readonly owner: OutboundPort | undefined;
  readonly make: () => ListenerInit;
}

/** Addresses at which a service port has a listener of its own; `wildcard` tells whether it also has a part in the shared one. */
interface Binding {
  readonly addresses: readonly string[];
  readonly ranges: readonly AddressRange[];
  readonly wildcard: boolean;
}

/**
 * The listeners of one port number, in steps. HTTP services share `0.0.0.0_<port>` with route table `<port>`; others listen at their
 * virtual address, or at each endpoint when they are headless, or take part in the shared listener by SNI, address range or
 * as what is left. Two services that want the same place: the one that comes first in `ports` has it.
 */
export function* portListeners(
  number: number,
  ports: readonly OutboundPort[],
  style: ListenerStyle,
  settings: MeshSettings,
): Steps<readonly PortListener[]> {
  const taken = style.captured ? [settings.proxyListenPort, settings.proxyInboundListenPort] : [];
  if (
    number === settings.proxyHttpPort ||
    taken.includes(number) ||
    (!style.captured && !style.privileged && number < 1024)
  )
    return [];
  const listeners = new Map<string, PortListener>();
  const shared: SharedParts = { members: 0, hasHttp: false, dynamic: new Set(), rules: [] };
  yield* each(ports, (port) => {
    const kind = portKind(port.port.protocol);
    if (kind === "none") return;
    const binding = bindingOf(port, kind, style);
    for (const address of binding.addresses) {
      const name = `${address}_${String(number)}`;
      if (!listeners.has(name))
        listeners.set(name, { name, owner: port, make: () => ownListener(name, address, port, kind, style, settings) });
    }
    if (binding.wildcard) share(shared, port, kind, binding.ranges);
  });
  if (shared.members === 0) return [...listeners.values()];
  const name = `${style.wildcards[0]}_${String(number)}`;
  return [
    ...listeners.values(),
    { name, owner: undefined, make: () => sharedListener(name, number, shared, style, settings) },
  ];
}

/** Names of the route tables that listeners of a sniffed port ask for beside the port's own: `<host>:<port>`. */
export function hasOwnRouteTable(port: OutboundPort, style: ListenerStyle): boolean {
  return portKind(port.port.protocol) === "sniffed" && bindingOf(port, "sniffed", style).addresses.length > 0;
}

/** Does the service take part in route table `<port>`? */
export function inSharedRouteTable(port: OutboundPort, style: ListenerStyle): boolean {
  const kind = portKind(port.port.protocol);
  return kind === "http" || (kind === "sniffed" && bindingOf(port, kind, style).wildcard);
}

/** Do the listeners of this service depend on its endpoints? */
export function isHeadless(service: Service): boolean {
  return service.resolution === "NONE" && service.addresses.length === 0;
}

function bindingOf({ service, port, instances }: OutboundPort, kind: PortKind, style: ListenerStyle): Binding {
  if (kind === "http") return { addresses: [], ranges: [], wildcard: true };
  const { addresses, ranges } = serviceAddresses(service);
  if (!style.captured) {
    const local = addresses.filter((address) => isLoopback(address) && address !== style.bindAddress);
    const shared = local.length === 0 || addresses.includes(style.bindAddress);
    return { addresses: local, ranges: [], wildcard: shared };
  }
  if (ranges.length > 0 || addresses.length > 0) return { addresses, ranges, wildcard: ranges.length > 0 };
  if (!isHeadless(service)) return { addresses: [], ranges: [], wildcard: true };
  const own = instances.filter((instance) => instance.servicePort === port.name);
  const ips = own.flatMap(({ addresses: [first] }) =>
    first.type === "ip" && first.port === port.number ? [first.ip] : [],
  );
  return { addresses: [...new Set(ips)].sort(), ranges: [], wildcard: own.length === 0 };
}

function ownListener(
  name: string,
  address: string,
  port: OutboundPort,
  kind: PortKind,
  style: ListenerStyle,
  settings: MeshSettings,
): ListenerInit {
  const {
    service,
    port: { number },
  } = port;
  const rules = distinctRules(connectionRules(port, kind === "tls" ? "tls" : "tcp", [], false));
  const http = kind === "sniffed" ? [httpChain(name, `${service.hostname}:${String(number)}`, dynamicDns([port]))] : [];
  return assemble(outboundListener(name, address, [], number, style, settings), {
    http,
    rules,
    fallback: style.captured ? fallbackChain(settings) : undefined,
  });
}

/** What a listener is made of that several services share. */
interface SharedParts {
  members: number;
  hasHttp: boolean;
  /** Clusters that look up what a request's host names. */
  readonly dynamic: Set<string>;
  readonly rules: L4Rule[];
}

function share(parts: SharedParts, port: OutboundPort, kind: PortKind, ranges: readonly AddressRange[]): void {
  parts.members++;
  if (kind === "http" || kind === "sniffed") {
    parts.hasHttp = true;
    for (const name of dynamicClusters(port)) parts.dynamic.add(name);
  }
  if (kind !== "http") parts.rules.push(...connectionRules(port, kind === "tls" ? "tls" : "tcp", ranges, true));
}

function sharedListener(
  name: string,
  number: number,
  { dynamic, hasHttp, rules }: SharedParts,
  style: ListenerStyle,
  settings: MeshSettings,
): ListenerInit {
  return assemble(outboundListener(name, style.wildcards[0], style.wildcards.slice(1), number, style, settings), {
    http: hasHttp ? [httpChain(name, String(number), [...dynamic].sort(byCodeUnit))] : [],
    rules: distinctRules(rules),
    fallback: style.captured ? fallbackChain(settings) : undefined,
  });
}

interface Parts {
  readonly http: readonly FilterChainInit[];
  /** No two of them match the same. */
  readonly rules: readonly L4Rule[];
  readonly fallback: FilterChainInit | undefined;
}

/** Inspectors are there only where something must be told apart: they wait for the client's first bytes. */
function assemble(listener: ListenerInit, { http, rules, fallback }: Parts): ListenerInit {
  const chains = [...http, ...rules.filter((rule) => !isForAll(rule)).map(ruleChain)];
  const rest = rules.filter(isForAll).map(ruleChain).at(0);
  const otherwise = rest ?? fallback;
  const [only] = chains;
  if (only === undefined) return rest === undefined ? listener : { ...listener, filterChains: [rest] };
  if (http.length > 0 && chains.length === 1 && otherwise === undefined) {
    const { filterChainMatch: _, ...anything } = only;
    return { ...listener, filterChains: [anything] };
  }
  const listenerFilters: ListenerFilterInit[] = [];
  if (rules.some(({ serverNames }) => serverNames.length > 0)) listenerFilters.push(tlsInspector());
  if (http.length > 0) listenerFilters.push(httpInspector());
  return {
    ...listener,
    filterChains: chains,
    ...(otherwise === undefined ? {} : { defaultFilterChain: otherwise }),
    listenerFilters,
  };
}

function outboundListener(
  name: string,
  address: string,
  more: readonly string[],
  port: number,
  style: ListenerStyle,
  settings: MeshSettings,
): ListenerInit {
  const bound = isLoopback(address) ? address : style.bindAddress;
  return {
    name,
    address: socketAddress(style.captured ? address : bound, port),
    ...(style.captured ? { additionalAddresses: more.map((other) => ({ address: socketAddress(other, port) })) } : {}),
    trafficDirection: TrafficDirection.OUTBOUND,
    bindToPort: !style.captured,
    listenerFiltersTimeout: duration(settings.protocolDetectionTimeout),
    continueOnListenerFiltersTimeout: true,
  };
}

/** The listener of MeshConfig's `proxyHttpPort`: every HTTP service of every port, by the request's host and port. */
export function httpProxyListener(
  style: ListenerStyle,
  settings: MeshSettings,
  dynamic: readonly OutboundPort[],
): ListenerInit {
  const name = `${style.bindAddress}_${String(settings.proxyHttpPort)}`;
  return {
    name,
    address: socketAddress(style.bindAddress, settings.proxyHttpPort),
    trafficDirection: TrafficDirection.OUTBOUND,
    bindToPort: true,
    filterChains: [
      { filters: [httpConnectionManager(`outbound_${name}`, { rds: "http_proxy" }, dynamicDns(dynamic))] },
    ],
  };
}

/** Where captured outbound traffic arrives. What no listener takes is let through or ends here, by the mesh's policy. */
export function virtualOutbound(style: ListenerStyle, settings: MeshSettings): ListenerInit {
  const [first, ...more] = style.wildcards;
  const rest = settings.registryOnly ? blackHoleCluster : passthroughCluster;
  return {
    name: "virtualOutbound",
    address: socketAddress(first, settings.proxyListenPort),
    additionalAddresses: more.map((address) => ({ address: socketAddress(address, settings.proxyListenPort) })),
    trafficDirection: TrafficDirection.OUTBOUND,
    useOriginalDst: true,
    filterChains: [
      {
        name: "virtualOutbound-blackhole",
        filterChainMatch: { destinationPort: settings.proxyListenPort },
        filters: [tcpProxy(blackHoleCluster)],
      },
      { name: "virtualOutbound-catchall-tcp", filters: [tcpProxy(rest)] },
    ],
  };
}

function httpChain(listener: string, routeTable: string, dynamic: readonly string[]): FilterChainInit {
  return {
    filterChainMatch: plaintextHttp,
    filters: [httpConnectionManager(`outbound_${listener}`, { rds: routeTable }, dynamic)],
  };
}

function fallbackChain(settings: MeshSettings): FilterChainInit {
  return {
    name: "PassthroughFilterChain",
    filters: [tcpProxy(settings.registryOnly ? blackHoleCluster : passthroughCluster)],
  };
}

/** Clusters of these ports, and of the hosts to which their rules lead, whose names have to be looked up for each request. */
function dynamicDns(ports: readonly OutboundPort[]): readonly string[] {
  return [...new Set(ports.flatMap(dynamicClusters))].sort(byCodeUnit);
}

/** Such clusters of one port: its own, and those that its routes lead to. */
function dynamicClusters(port: OutboundPort): readonly string[] {
  const found = dynamicDestinations(port);
  const all = port.service.resolution === "DYNAMIC_DNS" ? [port, ...found] : found;
  return all.map(({ port: { number }, service }) => outboundCluster(number, service.hostname));
}

function dynamicDestinations({
  destinations,
  routing,
}: OutboundPort): readonly Pick<OutboundPort, "service" | "port">[] {
  if (routing === undefined) return [];
  return routing.destinations.flatMap((host) => {
    const service = destinations?.service(host);
    if (service?.resolution !== "DYNAMIC_DNS") return [];
    const spoken = service.ports.filter(({ protocol }) => ["http", "sniffed"].includes(portKind(protocol)));
    return spoken.map((port) => ({ service, port }));
  });
}
