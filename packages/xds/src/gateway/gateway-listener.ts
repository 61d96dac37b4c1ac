import { TrafficDirection } from "@signalbox/envoy-api/envoy/config/core/v3/base";
import { create } from "@bufbuild/protobuf";
import { AddressSchema, type Address } from "@signalbox/envoy-api/envoy/config/core/v3/address";
import { ListenerSchema } from "@signalbox/envoy-api/envoy/config/listener/v3/listener";
import { isHttp } from "@signalbox/model";
import type { Steps } from "@signalbox/slices";
import { tcpProxy, tlsInspector, type FilterChainInit } from "../filters.ts";
import { encoded, socketAddress } from "../messages.ts";
import type { ListenerInit, ListenerStyle } from "../outbound-listeners.ts";
import { joined } from "../routes.ts";
import { isServerName, type L4Target } from "../routing/l4-rules.ts";
import { edgeConnectionManager } from "./connection-manager.ts";
import { endsTls, isAuto, passesThrough, serverNames, type ListenPort, type MergedServer } from "./merge.ts";
import { meshAlpn } from "./sni-clusters.ts";
import { handshakeTimeout, serverTransportSocket } from "./tls-context.ts";

/** Where a router's listeners stand. */
export type RouterStyle = Pick<ListenerStyle, "wildcards" | "privileged">;

/** Where the connections of a server go. */
export interface ServerRules {
  /** Where all connections of a server go that does not look into them; undefined without a rule. */
  tcp(server: MergedServer): L4Target | undefined;
  /** Where TLS connections go by their server names; no names are any name. */
  tls(server: MergedServer): readonly { readonly serverNames: readonly string[]; readonly target: L4Target }[];
  /** Clusters that clients of an AUTO_PASSTHROUGH server may name. */
  passed(server: MergedServer): Iterable<string>;
  /** Clusters of a route table for which names have to be looked up. */
  dynamicDns(routeTable: string): readonly string[];
}

/** A filter chain with what leads to it. Without names and ALPN it is for whatever no other takes. */
interface Chain {
  readonly names: readonly string[];
  readonly alpn?: readonly string[];
  readonly chain: FilterChainInit;
}

/** Istio's name of the listener of a port. */
export function listenerName({ bind, number }: Pick<ListenPort, "bind" | "number">, style: RouterStyle): string {
  return `${bind === "" ? style.wildcards[0] : bind}_${String(number)}`;
}

/**
 * The bytes of the listener of a port, in steps: with a chain for each server, and for each rule of servers that pass TLS on. Undefined where
 * nothing is to be done with a connection, and where the router may not listen. Of two chains for one server name the first has it: Envoy
 * would refuse both.
 */
export function* encodingGatewayListener(
  port: ListenPort,
  style: RouterStyle,
  rules: ServerRules,
): Steps<Uint8Array | undefined> {
  if (!style.privileged && port.number > 0 && port.number < 1024) return undefined;
  const name = listenerName(port, style);
  const chains: Uint8Array[] = [];
  let looksIn = false;
  for (const { alpn = [], chain, names } of distinctChains(chainsOf(name, port.servers, rules))) {
    looksIn ||= names.length > 0 || chain.transportSocket !== undefined;
    const init: FilterChainInit = {
      ...chain,
      ...(names.length + alpn.length === 0
        ? {}
        : { filterChainMatch: { serverNames: [...names], applicationProtocols: [...alpn] } }),
      transportSocketConnectTimeout: handshakeTimeout,
    };
    // Thousands of chains are one field each, and fields of one number may be written one by one.
    chains.push(encoded(ListenerSchema, { filterChains: [init] }));
    yield;
  }
  if (chains.length === 0) return undefined;
  const [first, ...more] = port.bind === "" ? style.wildcards : [port.bind];
  const before: ListenerInit = { name, address: listenAddress(first, port.number) };
  const behind: Omit<ListenerInit, "name"> = {
    additionalAddresses: more.map((address) => ({ address: listenAddress(address, port.number) })),
    trafficDirection: TrafficDirection.OUTBOUND,
    listenerFilters: looksIn ? [tlsInspector()] : [],
  };
  return joined([encoded(ListenerSchema, before), ...chains, encoded(ListenerSchema, behind)]);
}

function* chainsOf(listener: string, servers: readonly MergedServer[], rules: ServerRules): Iterable<Chain> {
  const plain = servers.find(({ protocol }) => isHttp(protocol));
  for (const merged of servers) {
    if (isHttp(merged.protocol)) {
      if (merged === plain) yield httpChain(`outbound_${listener}`, merged, rules);
    } else if (merged.routeTable !== undefined) {
      yield httpChain(merged.server.name || `outbound_${listener}`, merged, rules);
    } else if (isAuto(merged)) {
      for (const cluster of rules.passed(merged)) yield { names: [cluster], alpn: meshAlpn, chain: to(cluster) };
    } else if (passesThrough(merged.server.tls?.mode)) {
      for (const { serverNames: names, target } of rules.tls(merged)) yield { names, chain: to(target) };
    } else {
      const target = rules.tcp(merged);
      const names = endsTls(merged) ? serverNames(merged) : [];
      if (target !== undefined) yield { names, chain: { ...to(target), ...socketOf(merged) } };
    }
  }
}

function httpChain(statPrefix: string, merged: MergedServer, rules: ServerRules): Chain {
  const table = merged.routeTable ?? "";
  const grpcWeb = merged.protocol === "GRPC-WEB";
  const filters = [edgeConnectionManager(statPrefix, table, { dynamicDns: rules.dynamicDns(table), grpcWeb })];
  return { names: endsTls(merged) ? serverNames(merged) : [], chain: { filters, ...socketOf(merged) } };
}

function to(target: string | L4Target): FilterChainInit {
  return { filters: [tcpProxy(target)] };
}

function socketOf(merged: MergedServer): Pick<FilterChainInit, "transportSocket"> {
  const { tls } = merged.server;
  return tls !== undefined && endsTls(merged) ? { transportSocket: serverTransportSocket(tls) } : {};
}

function* distinctChains(chains: Iterable<Chain>): Iterable<Chain> {
  const taken = new Set<string>();
  for (const one of chains) {
    const names = one.names.length === 0 ? [""] : one.names.filter(isServerName);
    const key = (name: string) => `${(one.alpn ?? []).join(",")} ${name}`;
    const free = names.filter((name) => !taken.has(key(name)));
    for (const name of free) taken.add(key(name));
    if (free.length > 0) yield { ...one, names: free.filter((name) => name !== "") };
  }
}

function listenAddress(bind: string, port: number): Address {
  if (!bind.startsWith("unix://")) return socketAddress(bind, port);
  return create(AddressSchema, { address: { case: "pipe", value: { path: bind.slice("unix://".length) } } });
}
