import type { Gateway, GatewayServer } from "@signalbox/istio-objects";
import { isHttp, parseProtocol, type Protocol } from "@signalbox/model";
import type { Rule } from "@signalbox/traffic";
import { hostKey, hostNames, serverHosts, type ServerHost } from "./server-hosts.ts";

/** A server of a Gateway that has its place at a port. */
export interface MergedServer {
  /** `<namespace>/<name>` of the Gateway. */
  readonly gateway: string;
  readonly server: GatewayServer;
  readonly protocol: Protocol;
  readonly hosts: readonly ServerHost[];
  /** The port that rules and virtual hosts name: the Gateway's, wherever the router listens for it. */
  readonly port: number;
  /** For servers that speak HTTP; undefined for the others. */
  readonly routeTable: string | undefined;
}

/** Where a router listens. */
export interface ListenPort {
  /** An address or `unix://<path>`; empty for all addresses. */
  readonly bind: string;
  readonly number: number;
  /** In order of precedence. Servers of plain HTTP share one route table. */
  readonly servers: readonly MergedServer[];
}

/** A server that another one stands in the way of. */
export interface RejectedServer {
  readonly gateway: string;
  /** Its place in the Gateway's list. */
  readonly index: number;
  readonly reason: "no port" | "hosts of another server" | "protocol of another server" | "port name of another server";
}

/** All servers of a router's Gateways. */
export interface MergedServers {
  readonly ports: readonly ListenPort[];
  /** Servers by route table. */
  readonly tables: ReadonlyMap<string, readonly MergedServer[]>;
  readonly rejected: readonly RejectedServer[];
}

/** Where a router listens for a port that a Gateway names; absent ports stand for themselves. */
export type TargetPorts = ReadonlyMap<number, number>;

interface OpenPort {
  readonly bind: string;
  readonly number: number;
  readonly servers: MergedServer[];
  readonly secureHosts: Set<string>;
  plain: Protocol | undefined;
}

/**
 * Puts the servers of Gateways together by bind address and port, the first Gateway first. At one address and port there may be plain HTTP
 * servers, which share a route table, or one plain TCP server, or TLS servers with different hosts; what does not go together with what is
 * there already is rejected. As in Istio, a plain server finds its place beside TLS servers that came before it, not the other way round.
 */
export function mergeGateways(
  gateways: readonly Rule<Gateway>[],
  targetPorts: TargetPorts = new Map<number, number>(),
): MergedServers {
  const ports = new Map<string, OpenPort>();
  const tables = new Map<string, MergedServer[]>();
  const rejected: RejectedServer[] = [];
  for (const { object, spec } of gateways) {
    const gateway = `${object.namespace}/${object.name}`;
    for (const [index, server] of spec.servers.entries()) {
      const merged = mergedServer(server, gateway, object, targetPorts);
      const port = merged === undefined ? undefined : portOf(ports, server.bind, listenNumber(merged, targetPorts));
      if (merged === undefined || port === undefined) {
        rejected.push({ gateway, index, reason: "no port" });
        continue;
      }
      const reason = obstacle(merged, port, tables);
      if (reason !== undefined) {
        rejected.push({ gateway, index, reason });
        continue;
      }
      place(merged, port);
      const { routeTable } = merged;
      if (routeTable !== undefined) tables.set(routeTable, [...(tables.get(routeTable) ?? []), merged]);
    }
  }
  return { ports: [...ports.values()].filter(({ servers }) => servers.length > 0), tables, rejected };
}

/** Does the server end TLS, whatever is inside? */
export function endsTls({ server: { tls }, protocol }: MergedServer): boolean {
  return tls !== undefined && !isHttp(protocol) && !passesThrough(tls.mode);
}

/** Do clients of the server name the cluster themselves? */
export function isAuto({ protocol, server: { tls } }: MergedServer): boolean {
  return tls?.mode === "AUTO_PASSTHROUGH" && !isHttp(protocol);
}

/** Does the server pass TLS on undecrypted? */
export function passesThrough(mode: NonNullable<GatewayServer["tls"]>["mode"] | undefined): boolean {
  return mode === "PASSTHROUGH" || mode === "AUTO_PASSTHROUGH";
}

function mergedServer(
  server: GatewayServer,
  gateway: string,
  { name, namespace }: { readonly name: string; readonly namespace: string },
  targetPorts: TargetPorts,
): MergedServer | undefined {
  if (server.port === undefined) return undefined;
  const protocol = parseProtocol(server.port.protocol);
  const port = server.port.number;
  const bind = server.bind === "" ? "" : `.${server.bind}`;
  const listen = targetPorts.get(port) ?? port;
  const table = isHttp(protocol)
    ? `http.${String(listen)}${bind}`
    : protocol === "HTTPS" && server.tls !== undefined && !passesThrough(server.tls.mode)
      ? `https.${String(port)}.${server.port.name}.${name}.${namespace}${bind}`
      : undefined;
  return { gateway, server, protocol, hosts: serverHosts(server.hosts, namespace), port, routeTable: table };
}

function listenNumber({ port }: MergedServer, targetPorts: TargetPorts): number {
  return targetPorts.get(port) ?? port;
}

function portOf(ports: Map<string, OpenPort>, bind: string, number: number): OpenPort {
  const key = `${bind} ${String(number)}`;
  let port = ports.get(key);
  if (port === undefined) {
    port = { bind, number, servers: [], secureHosts: new Set(), plain: undefined };
    ports.set(key, port);
  }
  return port;
}

function obstacle(
  merged: MergedServer,
  port: OpenPort,
  tables: ReadonlyMap<string, readonly MergedServer[]>,
): RejectedServer["reason"] | undefined {
  const { hosts, protocol, routeTable, server } = merged;
  // Also where plain HTTP only redirects: Istio counts its hosts with those of TLS.
  if (server.tls !== undefined && hosts.some((host) => port.secureHosts.has(hostKey(host))))
    return "hosts of another server";
  if (port.plain !== undefined && !(isHttp(port.plain) && isHttp(protocol))) return "protocol of another server";
  if (routeTable !== undefined && !isHttp(protocol) && tables.has(routeTable)) return "port name of another server";
  return undefined;
}

function place(merged: MergedServer, port: OpenPort): void {
  const { hosts, protocol, server } = merged;
  if (server.tls !== undefined) for (const host of hosts) port.secureHosts.add(hostKey(host));
  if (server.tls === undefined || isHttp(protocol)) port.plain ??= protocol;
  port.servers.push(merged);
}

/** The server names that lead to a server; empty for any name, and for none at all. Sorted. */
export function serverNames({ hosts }: MergedServer): readonly string[] {
  const names = hostNames(hosts);
  return names.includes("*") ? [] : names;
}
