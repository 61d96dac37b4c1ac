import { TrafficDirection } from "@signalbox/envoy-api/envoy/config/core/v3/base";
import type { ListenerFilterChainMatchPredicateSchema } from "@signalbox/envoy-api/envoy/config/listener/v3/listener_components";
import { byCodeUnit, type Port, type Protocol, type Service } from "@signalbox/model";
import type { CompiledService } from "./compiled-service.ts";
import {
  httpConnectionManager,
  httpInspector,
  originalDestinationFilter,
  plaintextHttp,
  tcpProxy,
  type ChainMatchInit,
  type FilterChainInit,
} from "./filters.ts";
import { inboundLimits, type InboundLimits } from "./inbound-limits.ts";
import type { MeshSettings } from "./mesh.ts";
import { duration, socketAddress, type Init } from "./messages.ts";
import { blackHoleCluster, inboundCluster, inboundPassthroughCluster } from "./names.ts";
import { type ListenerInit, type ListenerStyle } from "./outbound-listeners.ts";
import { portKind } from "./port-kind.ts";
import { clusterAction, routeConfiguration, virtualHost } from "./routes.ts";

type Predicate = Init<typeof ListenerFilterChainMatchPredicateSchema>;

/** A port on which a proxy's own workload serves. */
export interface InboundPort {
  readonly number: number;
  readonly protocol: Protocol;
  /** Where the workload serves it, if not at the address that was dialled. */
  readonly endpoint?: string;
  /** Absent where no rule says anything. */
  readonly limits?: InboundLimits;
}

/**
 * The ports of the workload with these addresses, sorted, one for each number; where two services disagree about a
 * port's protocol, the first in `services` has it. `policy` is what rules say of a port of one of them.
 */
export function inboundPorts(
  services: readonly CompiledService[],
  addresses: readonly string[],
  policy: (service: Service, port: Port) => InboundLimits | undefined = () => undefined,
): readonly InboundPort[] {
  const ports = new Map<number, InboundPort>();
  for (const { entry } of services) {
    for (const instance of entry.instances) {
      const port = entry.service.ports.find(({ name }) => name === instance.servicePort);
      if (port === undefined || portKind(port.protocol) === "none") continue;
      for (const address of instance.addresses) {
        if (address.type !== "ip" || !addresses.includes(address.ip) || ports.has(address.port)) continue;
        const limits = inboundLimits(policy(entry.service, port));
        ports.set(address.port, { number: address.port, protocol: port.protocol, ...(limits && { limits }) });
      }
    }
  }
  return [...ports.values()].sort((a, b) => a.number - b.number);
}

/** Hosts of the services behind each port of the workload with these addresses. */
export function inboundHosts(
  services: readonly CompiledService[],
  addresses: readonly string[],
): ReadonlyMap<number, readonly string[]> {
  const hosts = new Map<number, Set<string>>();
  for (const { entry } of services) {
    for (const instance of entry.instances) {
      for (const address of instance.addresses) {
        if (address.type !== "ip" || !addresses.includes(address.ip)) continue;
        hosts.set(address.port, (hosts.get(address.port) ?? new Set()).add(entry.service.hostname));
      }
    }
  }
  return new Map([...hosts].sort(([a], [b]) => a - b).map(([port, all]) => [port, [...all].sort(byCodeUnit)]));
}

/**
 * Where captured inbound traffic arrives: a chain for each port of the workload, and one that lets everything else
 * through. Only ports whose protocol is unknown are inspected; the others must not wait for a client's first bytes.
 */
export function virtualInbound(
  ports: readonly InboundPort[],
  style: ListenerStyle,
  settings: MeshSettings,
): ListenerInit {
  const own = settings.proxyInboundListenPort;
  const [first, ...more] = style.wildcards;
  const known = ports
    .filter(({ number, protocol }) => number !== own && portKind(protocol) !== "sniffed")
    .map(({ number }) => number);
  return {
    name: "virtualInbound",
    address: socketAddress(first, own),
    additionalAddresses: more.map((address) => ({ address: socketAddress(address, own) })),
    trafficDirection: TrafficDirection.INBOUND,
    useOriginalDst: true,
    filterChains: [
      {
        name: "virtualInbound-blackhole",
        filterChainMatch: { destinationPort: own },
        filters: [tcpProxy(blackHoleCluster)],
      },
      {
        ...httpChain(0, inboundPassthroughCluster),
        name: "virtualInbound-catchall-http",
        filterChainMatch: plaintextHttp,
      },
      ...tcpChains({ name: "virtualInbound", filters: [tcpProxy(inboundPassthroughCluster)] }, {}),
      ...ports.filter(({ number }) => number !== own).flatMap(portChains),
    ],
    listenerFilters: [originalDestinationFilter(), { ...httpInspector(), filterDisabled: anyOf([...known, own]) }],
    listenerFiltersTimeout: duration(settings.protocolDetectionTimeout),
    continueOnListenerFiltersTimeout: true,
  };
}

function portChains({ number, protocol }: InboundPort): readonly FilterChainInit[] {
  const name = `0.0.0.0_${String(number)}`;
  const cluster = inboundCluster(number);
  const http = {
    ...httpChain(number, cluster, !isGrpc(protocol)),
    name,
    filterChainMatch: { destinationPort: number },
  };
  const tcp = { name, filterChainMatch: { destinationPort: number }, filters: [tcpProxy(cluster)] };
  switch (portKind(protocol)) {
    case "http":
      return [http];
    case "sniffed":
      return [
        { ...http, filterChainMatch: { ...plaintextHttp, destinationPort: number } },
        ...tcpChains(tcp, { destinationPort: number }),
      ];
    default:
      return [tcp];
  }
}

/** Envoy matches by transport first and does not come back: beside a chain for plaintext HTTP, other plaintext needs one of its own. */
function tcpChains(chain: FilterChainInit, match: ChainMatchInit): readonly FilterChainInit[] {
  return ["raw_buffer", "tls"].map((transportProtocol) => ({
    ...chain,
    filterChainMatch: { ...match, transportProtocol },
  }));
}

/** Is it gRPC, whose streams a retry would break off, as Istio found? */
function isGrpc(protocol: Protocol): boolean {
  return protocol === "GRPC" || protocol === "GRPC-WEB";
}

function httpChain(port: number, cluster: string, retries = true): FilterChainInit {
  const host = virtualHost(
    `inbound|http|${String(port)}`,
    ["*"],
    [
      {
        name: "default",
        match: { pathSpecifier: { case: "prefix", value: "/" } },
        action: {
          case: "route",
          value: {
            ...clusterAction(cluster),
            ...(retries ? { retryPolicy: { retryOn: "reset-before-request", numRetries: 2 } } : {}),
          },
        },
      },
    ],
  );
  const routes = {
    ...routeConfiguration(cluster, false),
    virtualHosts: [{ ...host, includeRequestAttemptCount: false }],
  };
  return {
    filters: [httpConnectionManager(port === 0 ? cluster : `inbound_0.0.0.0_${String(port)}`, { inline: routes })],
  };
}

function anyOf(ports: readonly number[]): Predicate {
  const rules = [...ports]
    .sort((a, b) => a - b)
    .map((port): Predicate => ({ rule: { case: "destinationPortRange", value: { start: port, end: port + 1 } } }));
  const [only] = rules;
  return rules.length === 1 && only !== undefined ? only : { rule: { case: "orMatch", value: { rules } } };
}
