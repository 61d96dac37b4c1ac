import { fromBinary, isMessage, type Message } from "@bufbuild/protobuf";
import { anyUnpack } from "@bufbuild/protobuf/wkt";
import { anyRegistry, typeUrls } from "@signalbox/envoy-api";
import { ListenerSchema, type Listener } from "@signalbox/envoy-api/envoy/config/listener/v3/listener";
import {
  HttpConnectionManagerSchema,
  type HttpConnectionManager,
} from "@signalbox/envoy-api/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager";
import { byCodeUnits } from "./code-units.ts";
import { MalformedRequestError, WireReader } from "./protocol/wire.ts";
import type { Resource, ResourceView } from "./resource.ts";

const clusterFields = { name: 1, type: 2, edsClusterConfig: 3 } as const;
const edsType = 3;
const serviceNameField = 2;
const names = new WeakMap<Resource, { readonly eds: string | undefined }>();

/**
 * The name under which a cluster asks for its endpoints: `eds_cluster_config.service_name`, or its own name.
 * `undefined` when the cluster is not of type EDS, or is no Cluster message. Reads the bytes without decoding them.
 */
export function endpointNameOf(cluster: Resource): string | undefined {
  let known = names.get(cluster);
  if (known === undefined) {
    known = { eds: readEndpointName(cluster.bytes) };
    names.set(cluster, known);
  }
  return known.eds;
}

function readEndpointName(bytes: Uint8Array): string | undefined {
  let name = "";
  let serviceName = "";
  let type = 0;
  try {
    const cluster = new WireReader(bytes);
    while (cluster.next()) {
      if (cluster.field === clusterFields.name) name = cluster.text();
      else if (cluster.field === clusterFields.type) type = cluster.number();
      else if (cluster.field === clusterFields.edsClusterConfig) {
        const config = new WireReader(cluster.content());
        while (config.next()) if (config.field === serviceNameField) serviceName = config.text();
      }
    }
  } catch (error) {
    if (error instanceof MalformedRequestError) return undefined;
    throw error;
  }
  return type === edsType ? serviceName || name : undefined;
}

function connectionManagers(listener: Listener): HttpConnectionManager[] {
  const chains = [...listener.filterChains, ...(listener.defaultFilterChain ? [listener.defaultFilterChain] : [])];
  const packed = chains
    .flatMap((chain) => chain.filters)
    .flatMap(({ configType }) => (configType.case === "typedConfig" ? [configType.value] : []));
  if (listener.apiListener?.apiListener) packed.push(listener.apiListener.apiListener);
  return packed.flatMap((any) => {
    const message: Message | undefined = anyUnpack(any, anyRegistry);
    return message !== undefined && isMessage(message, HttpConnectionManagerSchema) ? [message] : [];
  });
}

/**
 * Names of the route configurations that a listener asks for, sorted. Empty when the bytes are no Listener.
 */
export function routeNamesOf(listener: Resource): readonly string[] {
  let message: Listener;
  try {
    message = fromBinary(ListenerSchema, listener.bytes);
  } catch {
    return [];
  }
  const found = new Set<string>();
  for (const { routeSpecifier } of connectionManagers(message)) {
    if (routeSpecifier.case === "rds") found.add(routeSpecifier.value.routeConfigName);
  }
  return [...found].sort(byCodeUnits);
}

/** A resource that another one names and that is not there: a client would wait for it. */
export interface Inconsistency {
  /** The resource that refers. */
  readonly from: { readonly type: string; readonly name: string };
  /** What it refers to. */
  readonly missing: { readonly type: string; readonly name: string };
}

/**
 * What a set of resources lacks: endpoints named by its EDS clusters and routes named by its listeners, in name order.
 * A set with inconsistencies can be served; clients wait (Envoy: in warming) for what is missing.
 */
export function inconsistencies(view: Pick<ResourceView, "resources">): readonly Inconsistency[] {
  const found: Inconsistency[] = [];
  const endpoints = view.resources(typeUrls.endpoint);
  const routes = view.resources(typeUrls.route);
  for (const cluster of sorted(view.resources(typeUrls.cluster))) {
    const name = endpointNameOf(cluster);
    if (name === undefined || endpoints.has(name)) continue;
    found.push({ from: { type: typeUrls.cluster, name: cluster.name }, missing: { type: typeUrls.endpoint, name } });
  }
  for (const listener of sorted(view.resources(typeUrls.listener))) {
    for (const name of routeNamesOf(listener)) {
      if (routes.has(name)) continue;
      found.push({ from: { type: typeUrls.listener, name: listener.name }, missing: { type: typeUrls.route, name } });
    }
  }
  return found;
}

function sorted(resources: ReadonlyMap<string, Resource>): Resource[] {
  return [...resources.values()].sort((a, b) => byCodeUnits(a.name, b.name));
}
