import type { Listener } from "@signalbox/envoy-api/envoy/config/listener/v3/listener";
import type { FilterChain } from "@signalbox/envoy-api/envoy/config/listener/v3/listener_components";
import type { Route, VirtualHost } from "@signalbox/envoy-api/envoy/config/route/v3/route_components";
import type { CompiledPatch } from "./compile.ts";

/** Where a resource stands, as patches name it. */
export type PatchPlace = "SIDECAR_INBOUND" | "SIDECAR_OUTBOUND" | "GATEWAY";

/** What of a proxy decides which patches it gets and where they match. */
export interface PatchContext {
  readonly router: boolean;
  /** Metadata `ISTIO_VERSION`. */
  readonly istioVersion: string;
  /** Metadata of the node, at least the keys that the patches ask for. */
  readonly metadata: Readonly<Record<string, unknown>>;
  /** Hosts of the services behind an inbound port: a cluster `inbound|<port>||` names none. */
  readonly inboundHosts?: ReadonlyMap<number, readonly string[]>;
  /** Ports of a router's Service that lead to a port of its Gateways. */
  readonly gatewayPorts?: ReadonlyMap<number, ReadonlySet<number>>;
}

/** Is the patch for this proxy? */
export function matchesProxy({ match, version }: CompiledPatch, context: PatchContext): boolean {
  if (version !== undefined && (context.istioVersion === "" || !version(context.istioVersion))) return false;
  return Object.entries(match?.proxy?.metadata ?? {}).every(
    ([key, value]) => Object.hasOwn(context.metadata, key) && context.metadata[key] === value,
  );
}

/** Is the patch for resources of this place? */
export function matchesPlace({ match }: CompiledPatch, place: PatchPlace): boolean {
  const wanted = match?.context ?? "ANY";
  return wanted === "ANY" || wanted === place;
}

/** Is a resource that this patch adds for this proxy? One for any place is added once: outbound, or to a router. */
export function addsTo({ match }: CompiledPatch, router: boolean): boolean {
  const wanted = match?.context ?? "ANY";
  return wanted === "ANY" || (router ? wanted === "GATEWAY" : wanted !== "GATEWAY");
}

/** Does the listener fit? In the listeners of captured traffic the port is that of a filter chain. */
export function matchesListener({ match, target }: CompiledPatch, listener: Listener): boolean {
  const wanted = match?.listener;
  if (wanted === undefined) return true;
  if (wanted.name !== "" && wanted.name !== listener.name) return false;
  if ((target !== "LISTENER" && isVirtual(listener)) || wanted.portNumber === 0) return true;
  const address = listener.address?.address;
  return (
    address?.case === "socketAddress" &&
    address.value.portSpecifier.case === "portValue" &&
    address.value.portSpecifier.value === wanted.portNumber
  );
}

/** Does the chain of a listener that fits fit? */
export function matchesChain({ match }: CompiledPatch, listener: Listener, chain: FilterChain): boolean {
  const wanted = match?.listener;
  if (wanted === undefined) return true;
  const own = chain.filterChainMatch;
  if (isVirtual(listener) && wanted.portNumber > 0 && own?.destinationPort !== wanted.portNumber) return false;
  const chainWanted = wanted.filterChain;
  if (chainWanted === undefined) return true;
  const { name, sni, transportProtocol, applicationProtocols, destinationPort } = chainWanted;
  return (
    (name === "" || name === chain.name) &&
    (sni === "" || (own?.serverNames.includes(sni) ?? false)) &&
    (transportProtocol === "" || own?.transportProtocol === transportProtocol) &&
    (applicationProtocols === "" ||
      applicationProtocols.split(",").every((protocol) => own?.applicationProtocols.includes(protocol) ?? false)) &&
    (destinationPort === 0 || own?.destinationPort === destinationPort)
  );
}

/** Name of the network filter that is asked for; undefined where all are. Names are compared as they stand, as Istio does. */
export function networkFilterName({ match }: CompiledPatch): string | undefined {
  return match?.listener?.filterChain?.filter?.name;
}

/** Name of the HTTP filter that is asked for. */
export function httpFilterName({ match }: CompiledPatch): string | undefined {
  return match?.listener?.filterChain?.filter?.subFilter?.name;
}

/** Name of the listener filter that is asked for. */
export function listenerFilterName({ match }: CompiledPatch): string | undefined {
  return match?.listener?.listenerFilter === "" ? undefined : match?.listener?.listenerFilter;
}

/** Does a route table of this name fit? Its name says its port, and for a router its Gateway. */
export function matchesRouteTable(
  { match }: CompiledPatch,
  place: PatchPlace,
  table: string,
  context: PatchContext,
): boolean {
  const wanted = match?.routeConfiguration;
  if (wanted === undefined) return true;
  if (wanted.name !== "" && wanted.name !== table) return false;
  if (place !== "GATEWAY") return wanted.portNumber === 0 || wanted.portNumber === portOfTable(table);
  const { port, portName, gateway } = gatewayTable(table);
  if (wanted.portName !== "" && wanted.portName !== portName) return false;
  if (wanted.gateway !== "" && wanted.gateway !== gateway) return false;
  if (wanted.portNumber === 0) return true;
  return context.gatewayPorts?.get(port)?.has(wanted.portNumber) ?? port === wanted.portNumber;
}

/** Does the virtual host of a table that fits fit? */
export function matchesHost({ match }: CompiledPatch, host: VirtualHost): boolean {
  const wanted = match?.routeConfiguration?.vhost;
  if (wanted === undefined) return true;
  return (
    (wanted.name === "" || wanted.name === host.name) &&
    (wanted.domainName === "" || host.domains.includes(wanted.domainName))
  );
}

/** Is a particular route asked for? */
export function wantsRoute({ match }: CompiledPatch): boolean {
  return match?.routeConfiguration?.vhost?.route !== undefined;
}

/** Does the route of a virtual host that fits fit? Routes of other actions than the three fit every action, as in Istio. */
export function matchesRoute({ match }: CompiledPatch, route: Route): boolean {
  const wanted = match?.routeConfiguration?.vhost?.route;
  if (wanted === undefined) return true;
  if (wanted.name !== "" && wanted.name !== route.name) return false;
  if (wanted.action === "ANY") return true;
  switch (route.action.case) {
    case "route":
      return wanted.action === "ROUTE";
    case "redirect":
      return wanted.action === "REDIRECT";
    case "directResponse":
      return wanted.action === "DIRECT_RESPONSE";
    default:
      return true;
  }
}

/** Does a cluster of this name fit? A name that is asked for decides alone. */
export function matchesCluster({ match }: CompiledPatch, name: string, context: PatchContext): boolean {
  const wanted = match?.cluster;
  if (wanted === undefined) return true;
  if (wanted.name !== "") return wanted.name === name;
  const { direction, port, subset, host } = clusterParts(name);
  const hosts = direction === "inbound" ? (context.inboundHosts?.get(port) ?? [host]) : [host];
  return (
    (wanted.subset === "" || wanted.subset === subset) &&
    (wanted.service === "" || hosts.includes(wanted.service)) &&
    (wanted.portNumber === 0 || wanted.portNumber === port)
  );
}

/** The place of a cluster, by its name. */
export function clusterPlace(name: string, router: boolean): PatchPlace {
  if (router) return "GATEWAY";
  return name.startsWith("inbound|") || name === "InboundPassthroughCluster" ? "SIDECAR_INBOUND" : "SIDECAR_OUTBOUND";
}

function isVirtual({ name }: Listener): boolean {
  return name === "virtualInbound" || name === "virtualOutbound";
}

function clusterParts(name: string): { direction: string; port: number; subset: string; host: string } {
  const [direction = "", port = "", subset = "", host = "", ...more] = name.split("|");
  return host === "" && more.length === 0 && !name.includes("|")
    ? { direction: "", port: 0, subset: "", host: "" }
    : { direction, port: wholeNumber(port), subset, host };
}

function portOfTable(table: string): number {
  return table.startsWith("inbound") ? clusterParts(table).port : wholeNumber(table);
}

function gatewayTable(table: string): { port: number; portName: string; gateway: string } {
  const [scheme, port = "", portName = "", name = "", namespace = "", ...more] = table.split(".");
  if (scheme === "http") return { port: wholeNumber(table.slice("http.".length)), portName: "", gateway: "" };
  const whole = scheme === "https" && table.split(".").length === 5 && more.length === 0;
  return whole
    ? { port: wholeNumber(port), portName, gateway: `${namespace}/${name}` }
    : { port: 0, portName: "", gateway: "" };
}

function wholeNumber(text: string): number {
  return /^\d{1,9}$/.test(text) ? Number(text) : 0;
}
