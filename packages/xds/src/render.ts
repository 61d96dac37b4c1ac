import { fromBinary, toJson, type DescMessage, type JsonObject, type JsonValue } from "@bufbuild/protobuf";
import { anyRegistry, typeUrls, type TypeUrl } from "@signalbox/envoy-api";
import { ClusterSchema } from "@signalbox/envoy-api/envoy/config/cluster/v3/cluster";
import { ClusterLoadAssignmentSchema } from "@signalbox/envoy-api/envoy/config/endpoint/v3/endpoint";
import { ListenerSchema } from "@signalbox/envoy-api/envoy/config/listener/v3/listener";
import { RouteConfigurationSchema } from "@signalbox/envoy-api/envoy/config/route/v3/route";
import { VirtualHostSchema } from "@signalbox/envoy-api/envoy/config/route/v3/route_components";
import { byCodeUnit } from "@signalbox/model";
import type { Catalog } from "@signalbox/model";
import type { Resource, ResourceView } from "@signalbox/xds-server";
import type { ProxyNode } from "./node.ts";
import { createTranslator, type TranslatorOptions } from "./translator.ts";

/** All resources of one client in proto3 JSON, each list sorted by name. */
export interface RenderedProxy {
  readonly listeners: readonly JsonValue[];
  readonly routes: readonly JsonValue[];
  readonly clusters: readonly JsonValue[];
  readonly endpoints: readonly JsonValue[];
}

const schemas: ReadonlyMap<TypeUrl, DescMessage> = new Map<TypeUrl, DescMessage>([
  [typeUrls.listener, ListenerSchema],
  [typeUrls.route, RouteConfigurationSchema],
  [typeUrls.virtualHost, VirtualHostSchema],
  [typeUrls.cluster, ClusterSchema],
  [typeUrls.endpoint, ClusterLoadAssignmentSchema],
]);

/**
 * What a node would get from this catalog. Short names in rules are completed with the cluster's domain where that names a service of the
 * catalog, and with the namespace alone where it does not: rules can be looked at without their cluster.
 */
export function renderProxy(catalog: Catalog, node: ProxyNode, options: TranslatorOptions = {}): RenderedProxy {
  const { domain = "cluster.local" } = options;
  const hosts = new Set([...catalog.entries.values()].map(({ service }) => service.hostname.toLowerCase()));
  const shortNames = (name: string) => (hosts.has(`${name}.svc.${domain}`) ? domain : "");
  const translator = createTranslator({ shortNames, ...options });
  translator.apply({ v: 1, type: "snapshot", catalog });
  return renderView(translator.view(node));
}

/** A view in proto3 JSON. */
export function renderView(view: ResourceView): RenderedProxy {
  const list = (type: TypeUrl) => sorted(view, type).map((resource) => resourceJson(type, resource));
  return {
    listeners: list(typeUrls.listener),
    routes: list(typeUrls.route),
    clusters: list(typeUrls.cluster),
    endpoints: list(typeUrls.endpoint),
  };
}

/**
 * A view in the shape of Envoy's `/config_dump?include_eds` (`envoy.admin.v3.ConfigDump`), as a client that took everything would show it: also
 * virtual hosts that come by themselves stand in their route tables.
 */
export function configDump(view: ResourceView): { readonly configs: readonly JsonObject[] } {
  const dump = (type: TypeUrl) =>
    sorted(view, type).map((resource) => ({ resource, json: { "@type": type, ...resourceJson(type, resource) } }));
  const dumpType = (name: string) => `type.googleapis.com/envoy.admin.v3.${name}`;
  return {
    configs: [
      {
        "@type": dumpType("ClustersConfigDump"),
        versionInfo: view.version(typeUrls.cluster),
        dynamicActiveClusters: dump(typeUrls.cluster).map(({ resource, json }) => ({
          versionInfo: resource.version,
          cluster: json,
        })),
      },
      {
        "@type": dumpType("EndpointsConfigDump"),
        dynamicEndpointConfigs: dump(typeUrls.endpoint).map(({ resource, json }) => ({
          versionInfo: resource.version,
          endpointConfig: json,
        })),
      },
      {
        "@type": dumpType("ListenersConfigDump"),
        versionInfo: view.version(typeUrls.listener),
        dynamicListeners: dump(typeUrls.listener).map(({ resource, json }) => ({
          name: resource.name,
          activeState: { versionInfo: resource.version, listener: json },
        })),
      },
      {
        "@type": dumpType("RoutesConfigDump"),
        dynamicRouteConfigs: dump(typeUrls.route).map(({ resource, json }) => ({
          versionInfo: resource.version,
          routeConfig: withHosts(resource.name, json, view),
        })),
      },
    ],
  };
}

function withHosts(table: string, json: JsonObject, view: ResourceView): JsonObject {
  if (json["vhds"] === undefined) return json;
  const hosts = sorted(view, typeUrls.virtualHost).filter(({ name }) => name.slice(0, name.lastIndexOf("/")) === table);
  return { ...json, virtualHosts: hosts.map((host) => resourceJson(typeUrls.virtualHost, host)) };
}

function sorted(view: ResourceView, type: TypeUrl): readonly Resource[] {
  return [...view.resources(type).values()].sort((a, b) => byCodeUnit(a.name, b.name));
}

function resourceJson(type: TypeUrl, resource: Resource): JsonObject {
  const schema = schemas.get(type);
  if (schema === undefined) return {};
  return toJson(schema, fromBinary(schema, resource.bytes), { registry: anyRegistry }) as JsonObject;
}
