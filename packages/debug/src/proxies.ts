import { failure } from "./answer.ts";
import type { Answer } from "./answer.ts";
import { sortedBy } from "./order.ts";
import type { ClientView } from "./sources.ts";

/** istiod's name of a connection: `<node id>-<number>`. */
export function connectionId(client: ClientView): string {
  return `${client.nodeId}-${client.stream}`;
}

/** Clients that said who they are, by node id and stream. */
export function sortedClients(clients: readonly ClientView[]): ClientView[] {
  return sortedBy(clients, ({ nodeId, stream }) => `${nodeId}\0${String(stream).padStart(16, "0")}`);
}

/** The parts of Istio's node id, `<type>~<ip>~<name>.<namespace>~<domain>`; `undefined` for any other id. */
export function istioNode(nodeId: string): { readonly type: string; readonly ip: string } | undefined {
  const parts = nodeId.split("~");
  const [type, ip] = parts;
  return parts.length === 4 && type !== undefined && ip !== undefined ? { type, ip } : undefined;
}

/** A member of the node's metadata if it is text, else the empty string. */
export function metadataText(client: ClientView, name: string): string {
  const value = Object.hasOwn(client.metadata, name) ? client.metadata[name] : undefined;
  return typeof value === "string" ? value : "";
}

/**
 * Finds the client that `?proxyID=` names: a whole node id or connection id, else a part of one, as istioctl's
 * `<name>.<namespace>` is. Of several streams of one node the newest. Returns the answer to give when there is none.
 */
export function selectProxy(
  clients: readonly ClientView[],
  query: URLSearchParams,
): { readonly client: ClientView } | { readonly refusal: Answer } {
  const wanted = query.get("proxyID") ?? "";
  const proxies = [...new Set(sortedClients(clients).map(({ nodeId }) => nodeId))];
  if (wanted === "")
    return {
      refusal: failure(400, "SBX_PROXY_ID_MISSING", "You must provide a proxyID in the query string.", { proxies }),
    };
  const exact = clients.filter((client) => client.nodeId === wanted || connectionId(client) === wanted);
  const found = exact.length > 0 ? exact : clients.filter((client) => connectionId(client).includes(wanted));
  const matches = proxies.filter((id) => found.some(({ nodeId }) => nodeId === id));
  if (matches.length > 1)
    return { refusal: failure(400, "SBX_PROXY_ID_AMBIGUOUS", "Several proxies match.", { proxies: matches }) };
  const newest = found.reduce<ClientView | undefined>(
    (best, client) => (best === undefined || client.stream > best.stream ? client : best),
    undefined,
  );
  if (newest !== undefined) return { client: newest };
  return {
    refusal: failure(404, "SBX_PROXY_UNKNOWN", "No such proxy is connected to this process.", { proxies }),
  };
}
