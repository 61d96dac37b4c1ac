import { create, fromBinary, isMessage, toBinary } from "@bufbuild/protobuf";
import type { Message } from "@bufbuild/protobuf";
import { reflect } from "@bufbuild/protobuf/reflect";
import type { ReflectMessage } from "@bufbuild/protobuf/reflect";
import { AnySchema, anyPack, durationFromMs } from "@bufbuild/protobuf/wkt";
import type { Any } from "@bufbuild/protobuf/wkt";
import { anyRegistry, typeUrls } from "@signalbox/envoy-api";
import type { TypeUrl } from "@signalbox/envoy-api";
import { Cluster_DiscoveryType, ClusterSchema } from "@signalbox/envoy-api/envoy/config/cluster/v3/cluster";
import {
  ApiConfigSource_ApiType,
  ApiConfigSourceSchema,
  ApiVersion,
  PathConfigSourceSchema,
} from "@signalbox/envoy-api/envoy/config/core/v3/config_source";
import type { ConfigSource } from "@signalbox/envoy-api/envoy/config/core/v3/config_source";
import { RdsSchema } from "@signalbox/envoy-api/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager";
import { SdsSecretConfigSchema } from "@signalbox/envoy-api/envoy/extensions/transport_sockets/tls/v3/secret";

/** A resource that another resource asks for by name. */
export interface ResourceReference {
  readonly type: TypeUrl;
  readonly name: string;
}

/** Where a client shall get a resource; `undefined` leaves what is there. */
export type ConfigSourceOf = (reference: ResourceReference) => ConfigSource["configSourceSpecifier"] | undefined;

/** Endpoints, routes and secrets from a file that the client watches. Source: Envoy, `PathConfigSource`. */
export function pathConfigSource(path: string): ConfigSource["configSourceSpecifier"] {
  const specifier = { case: "pathConfigSource", value: create(PathConfigSourceSchema, { path }) } as const;
  return specifier;
}

/** Endpoints, routes and secrets by REST polling of the cluster that serves them. Source: Envoy, `ApiConfigSource`. */
export function restConfigSource(clusterName: string, refreshMs: number): ConfigSource["configSourceSpecifier"] {
  const value = create(ApiConfigSourceSchema, {
    apiType: ApiConfigSource_ApiType.REST,
    transportApiVersion: ApiVersion.V3,
    clusterNames: [clusterName],
    refreshDelay: durationFromMs(refreshMs),
  });
  const specifier = { case: "apiConfigSource", value } as const;
  return specifier;
}

/**
 * Decodes a resource that was made for ADS and lets it ask elsewhere: each `ads` or `self` source of endpoints (in
 * clusters), routes and secrets is replaced by what `sourceOf` says. Looks into `google.protobuf.Any` of known types.
 * Throws when the bytes are no message of that type.
 */
export function withConfigSources(type: TypeUrl, bytes: Uint8Array, sourceOf: ConfigSourceOf): Any {
  const schema = anyRegistry.getMessage(type.slice(type.indexOf("/") + 1));
  if (schema === undefined) throw new Error(`unknown resource type ${type}`);
  const message = fromBinary(schema, bytes);
  rewrite(reflect(schema, message), sourceOf);
  return create(AnySchema, { typeUrl: type, value: toBinary(schema, message) });
}

/** Rewrites in place; returns whether anything changed. */
function rewrite(message: ReflectMessage, sourceOf: ConfigSourceOf): boolean {
  if (message.desc.typeName === AnySchema.typeName) return rewriteAny(message.message as Any, sourceOf);
  let changed = rewriteReference(message.message, sourceOf);
  for (const field of message.fields) {
    if (!message.isSet(field)) continue;
    if (field.fieldKind === "message") {
      changed = rewrite(message.get(field), sourceOf) || changed;
    } else if (field.fieldKind === "list" && field.listKind === "message") {
      for (const item of message.get(field)) if (isReflected(item)) changed = rewrite(item, sourceOf) || changed;
    } else if (field.fieldKind === "map" && field.mapKind === "message") {
      for (const item of message.get(field).values()) {
        if (isReflected(item)) changed = rewrite(item, sourceOf) || changed;
      }
    }
  }
  return changed;
}

function rewriteAny(any: Any, sourceOf: ConfigSourceOf): boolean {
  const schema = anyRegistry.getMessage(any.typeUrl.slice(any.typeUrl.lastIndexOf("/") + 1));
  if (schema === undefined) return false;
  const content = fromBinary(schema, any.value);
  if (!rewrite(reflect(schema, content), sourceOf)) return false;
  any.value = anyPack(schema, content).value;
  return true;
}

function rewriteReference(message: Message, sourceOf: ConfigSourceOf): boolean {
  if (isMessage(message, ClusterSchema)) {
    const { clusterDiscoveryType, edsClusterConfig } = message;
    if (clusterDiscoveryType.case !== "type" || clusterDiscoveryType.value !== Cluster_DiscoveryType.EDS) return false;
    const name = edsClusterConfig?.serviceName;
    return replace(
      edsClusterConfig?.edsConfig,
      typeUrls.endpoint,
      name === undefined || name === "" ? message.name : name,
      sourceOf,
    );
  }
  if (isMessage(message, RdsSchema)) {
    return replace(message.configSource, typeUrls.route, message.routeConfigName, sourceOf);
  }
  if (isMessage(message, SdsSecretConfigSchema)) {
    return replace(message.sdsConfig, typeUrls.secret, message.name, sourceOf);
  }
  return false;
}

function replace(source: ConfigSource | undefined, type: TypeUrl, name: string, sourceOf: ConfigSourceOf): boolean {
  const kind = source?.configSourceSpecifier.case;
  if (source === undefined || (kind !== "ads" && kind !== "self")) return false;
  const specifier = sourceOf({ type, name });
  if (specifier === undefined) return false;
  source.configSourceSpecifier = specifier;
  source.resourceApiVersion = ApiVersion.V3;
  return true;
}

function isReflected(value: unknown): value is ReflectMessage {
  return typeof value === "object" && value !== null && "desc" in value && "message" in value;
}
