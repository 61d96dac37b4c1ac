import type { Client } from "@signalbox/traffic";
import type { Flavour } from "./compiled-service.ts";
import type { MeshSettings } from "./mesh.ts";
import type { ProxyNode } from "./node.ts";
import type { ListenerStyle } from "./outbound-listeners.ts";
import type { Fallback } from "./routes.ts";

/** What of a node decides which rules it gets. */
export function clientOf({ labels, locality, namespace, type }: ProxyNode): Client {
  return { namespace, labels, locality, kind: type === "router" ? "router" : "mesh" };
}

/** Does the kernel bring the proxy what its workload sends and gets? */
export function isCaptured(node: ProxyNode): boolean {
  return node.type === "sidecar" && node.interception === "CAPTURED";
}

/** Gateways give a router its listeners. */
export function isRouter(node: ProxyNode): boolean {
  return node.type === "router" && node.listeners;
}

/** Does the proxy listen at the ports of the services that it calls? */
export function hasListeners(node: ProxyNode): boolean {
  return node.type !== "router" && node.listeners;
}

/** A proxy that binds its own ports has no original destination to let unknown hosts through to. */
export function fallbackOf(node: ProxyNode, settings: MeshSettings): Fallback {
  if (node.type === "plain") return "not-found";
  return isCaptured(node) && !settings.registryOnly ? "passthrough" : "block";
}

/** Which form of clusters a proxy takes. */
export function flavourOf(node: ProxyNode): Flavour {
  if (node.type === "grpc" || node.type === "router") return node.type;
  return isCaptured(node) ? "captured" : "direct";
}

/** How a proxy's listeners are bound. */
export function styleOf(node: ProxyNode): ListenerStyle {
  if (!isCaptured(node))
    return { captured: false, bindAddress: node.listenAddress, wildcards: ["0.0.0.0"], privileged: node.privileged };
  const wildcards = wildcardsOf(node.addresses);
  return { captured: true, bindAddress: wildcards[0] === "::" ? "::1" : "127.0.0.1", wildcards, privileged: true };
}

/** The wildcard addresses of the address families that a node has; IPv4 where it names no address. */
export function wildcardsOf(addresses: readonly string[]): ListenerStyle["wildcards"] {
  const v4 = addresses.some((address) => !address.includes(":")) || addresses.length === 0;
  const v6 = addresses.some((address) => address.includes(":"));
  return v4 ? (v6 ? ["0.0.0.0", "::"] : ["0.0.0.0"]) : ["::"];
}
