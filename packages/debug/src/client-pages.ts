import type { Catalog } from "@signalbox/model";
import { failure } from "./answer.ts";
import type { Answer, Page } from "./answer.ts";
import { addressTexts, placeOf, portShape, serviceShape, timestamp } from "./istio-shapes.ts";
import { sortedBy, sortedRecord } from "./order.ts";
import { connectionId, istioNode, metadataText, selectProxy, sortedClients } from "./proxies.ts";
import { shortType } from "./resource-type.ts";
import { sortedEntries } from "./service-pages.ts";
import type { ClientView, DebugSources, SubscriptionView } from "./sources.ts";

/** Pages about connected xDS clients. */
export function clientPages(sources: DebugSources): Page[] {
  return [
    {
      path: "/debug/adsz",
      help: "Connected proxies with metadata and watches. ?proxyID=<id> for one.",
      answer: (query) => adsz(sources, query),
    },
    {
      path: "/debug/connections",
      help: "Connected proxies, short.",
      answer: () => ({ type: "json", value: clientList(sortedClients(sources.clients()).map(connection)) }),
    },
    {
      path: "/debug/instancesz",
      help: "The services that each connected proxy is an instance of.",
      answer: () => instancesz(sources),
    },
    {
      path: "/debug/syncz",
      help: "What each proxy was sent, acknowledged and refused, by resource type. ?namespace= for one namespace.",
      answer: (query) => syncz(sources, query),
    },
  ];
}

function clientList(clients: readonly object[]): object {
  return { totalClients: clients.length, ...(clients.length > 0 && { clients }) };
}

function connection(client: ClientView): object {
  return {
    connectionId: connectionId(client),
    connectedAt: timestamp(client.connectedAt),
    address: client.peer,
  };
}

function adsz(sources: DebugSources, query: URLSearchParams): Answer {
  let clients = sortedClients(sources.clients());
  if (query.has("proxyID")) {
    const selected = selectProxy(clients, query);
    if ("refusal" in selected) return selected.refusal;
    clients = [selected.client];
  }
  return { type: "json", value: clientList(clients.map((client) => adsClient(sources, client))) };
}

function adsClient(sources: DebugSources, client: ClientView): object {
  const names = sources.watchedNames?.(client.stream);
  const labels = client.metadata["LABELS"];
  const subscriptions = sortedBy(client.subscriptions, ({ resourceType }) => resourceType);
  const watches = subscriptions.map((subscription): [string, readonly string[]] => {
    const known = [...(names?.get(subscription.resourceType) ?? [])].sort();
    return [subscription.resourceType, subscription.wildcard && !known.includes("*") ? ["*", ...known] : known];
  });
  return {
    ...connection(client),
    ...(typeof labels === "object" && labels !== null && { labels }),
    metadata: client.metadata,
    watches: Object.fromEntries(watches),
    watchCounts: Object.fromEntries(subscriptions.map((s) => [s.resourceType, s.names])),
    node: client.nodeId,
    cluster: client.nodeCluster,
    protocol: client.protocol,
    method: client.method,
    identities: client.identities,
    userAgent: client.userAgent,
  };
}

const legacyNames = new Map([
  ["cds", "cluster"],
  ["lds", "listener"],
  ["rds", "route"],
  ["eds", "endpoint"],
  ["ecds", "extensionconfig"],
]);

function syncz(sources: DebugSources, query: URLSearchParams): Answer {
  const namespace = query.get("namespace") ?? "";
  const clients = sortedClients(sources.clients()).filter((client) => client.nodeId !== "");
  const shown = clients.filter((client) => namespace === "" || namespaceOf(client) === namespace);
  return { type: "json", value: shown.map(syncStatus) };
}

/** As istiod finds it: the metadata's word, else the end of the third part of the node id. */
function namespaceOf(client: ClientView): string {
  const said = metadataText(client, "NAMESPACE");
  if (said !== "" || istioNode(client.nodeId) === undefined) return said;
  const name = client.nodeId.split("~")[2] ?? "";
  return name.slice(name.lastIndexOf(".") + 1);
}

function syncStatus(client: ClientView): object {
  const optional = (name: string, value: string | undefined): object =>
    value === undefined || value === "" ? {} : { [name]: value };
  const subscriptions = sortedBy(client.subscriptions, ({ resourceType }) => resourceType);
  const legacy = subscriptions.flatMap(({ resourceType, sentNonce = "", ackedNonce = "" }) => {
    const name = legacyNames.get(shortType(resourceType));
    const nonces = [[`${name ?? ""}_sent`, sentNonce] as const, [`${name ?? ""}_acked`, ackedNonce] as const];
    return name === undefined ? [] : nonces.filter(([, nonce]) => nonce !== "");
  });
  return {
    ...optional("cluster_id", metadataText(client, "CLUSTER_ID")),
    proxy: client.nodeId,
    ...optional("proxy_type", istioNode(client.nodeId)?.type),
    ...optional("istio_version", metadataText(client, "ISTIO_VERSION")),
    ...Object.fromEntries(legacy),
    resources: sortedRecord(subscriptions.map((s) => [s.resourceType, resourceStatus(s)])),
  };
}

function resourceStatus(subscription: SubscriptionView): object {
  const { sentNonce, ackedNonce, sentAt, ackedAt, error, sentVersion, ackedVersion } = subscription;
  return {
    ...(sentNonce !== undefined && { sent: sentNonce }),
    ...(ackedNonce !== undefined && { acked: ackedNonce }),
    ...(sentAt !== undefined && { sentTime: timestamp(sentAt) }),
    ...(error !== undefined && { lastError: error }),
    ...(ackedAt !== undefined && { ackedTime: timestamp(ackedAt) }),
    ...(sentVersion !== undefined && { sentVersion }),
    ...(ackedVersion !== undefined && { ackedVersion }),
  };
}

function instancesz(sources: DebugSources): Answer {
  const catalog = sources.catalog();
  if (catalog === undefined) return failure(503, "SBX_NO_CATALOG", "There is no catalog yet; /readyz says why.");
  const targets = targetsByAddress(catalog);
  const proxies = new Map<string, object[]>();
  for (const client of sortedClients(sources.clients())) {
    if (client.nodeId === "" || proxies.has(client.nodeId)) continue;
    const found = new Set(proxyAddresses(client).flatMap((ip) => targets.get(ip) ?? []));
    proxies.set(client.nodeId, [...found]);
  }
  return { type: "json", value: sortedRecord(proxies) };
}

/** The addresses of a proxy: the one in Istio's node id, and `INSTANCE_IPS` of its metadata. */
function proxyAddresses(client: ClientView): string[] {
  const listed = metadataText(client, "INSTANCE_IPS").split(",");
  const addresses = [istioNode(client.nodeId)?.ip ?? "", ...listed].map((address) => address.trim());
  return [...new Set(addresses)].filter((address) => address !== "");
}

function targetsByAddress(catalog: Catalog): Map<string, object[]> {
  const targets = new Map<string, object[]>();
  for (const entry of sortedEntries(catalog)) {
    const service = serviceShape(entry);
    for (const instance of entry.instances) {
      const port = entry.service.ports.find(({ name }) => name === instance.servicePort);
      if (port === undefined) continue;
      const target = { Service: service, Port: { ...portShape(port), TargetPort: placeOf(instance).port } };
      for (const address of addressTexts(instance)) {
        const list = targets.get(address);
        if (list === undefined) targets.set(address, [target]);
        else list.push(target);
      }
    }
  }
  return targets;
}
